"""The way of a test's programs to other hosts: through the server's proxy, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_cloudrepo.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# What says whom to trust: to pip, requests (twine, Poetry, flit), OpenSSL (uv), curl, Node, git.
TRUST = (
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)


def pass_through(
    call: Callable[..., Any], folder: Path, *, urls: Sequence[str] = (), allow: Sequence[str] = ()
) -> dict[str, str]:
    """The variables with which a program reaches these URLs at the repository, and no other host.

    Args:
        call: calls the repository's part of the admin API.
        folder: where the file goes that says whom to trust.
        urls: what the repository stands for.
        allow: hosts that are let through to the real ones.

    Raises:
        ServerError: a URL is wrong, or https is asked for and the server has no TLS.
    """
    __tracebackhide__ = True
    made = call("POST", "impersonations", json={"urls": [*urls], "allow": [*allow]})
    proxy = Secret(made["proxy"])
    variables: dict[str, str] = {}
    for name in PROXIES:
        variables |= {name: proxy, name.lower(): proxy}
    if made["ca"] is None:
        return variables
    trusted = folder / f"{made['id']}.pem"
    trusted.parent.mkdir(parents=True, exist_ok=True)
    trusted.write_text(made["ca"] + (_public_authorities() if allow else ""), encoding="utf-8")
    return variables | dict.fromkeys(TRUST, str(trusted))


def _public_authorities() -> str:
    from pathlib import Path  # noqa: PLC0415 - only where a host is let through

    from requests.utils import DEFAULT_CA_BUNDLE_PATH  # noqa: PLC0415 - likewise

    return Path(DEFAULT_CA_BUNDLE_PATH).read_text(encoding="utf-8")
