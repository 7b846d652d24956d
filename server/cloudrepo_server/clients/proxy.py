"""The environment variables that send a program's requests through a proxy."""

from collections.abc import Iterable
from typing import Final

_PROXY_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

# Each names a CA bundle: for pip, requests (twine, Poetry, flit), OpenSSL (uv), curl, Node, git.
_CA_BUNDLE_VARIABLES: Final = (
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)


def proxy_variables(proxy: str, *, direct: Iterable[str]) -> dict[str, str]:
    """Return the variables that send requests to a proxy.

    Args:
        proxy: the URL of the proxy.
        direct: the hosts that are reached without the proxy.
    """
    hosts = ",".join(filter(None, direct))
    variables = dict.fromkeys(_PROXY_VARIABLES, proxy) | {"NO_PROXY": hosts}
    return variables | {name.lower(): value for name, value in variables.items()}


def ca_bundle_variables(bundle: str) -> dict[str, str]:
    """Return the variables that make every tool trust the authorities in a CA bundle."""
    return dict.fromkeys(_CA_BUNDLE_VARIABLES, bundle)
