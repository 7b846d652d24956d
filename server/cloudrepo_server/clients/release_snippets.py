"""The commands that install one release, for the user to copy from the Admin Portal."""

from collections.abc import Mapping, Sequence
from typing import Final

from cloudrepo_server.clients.connection import Connection
from cloudrepo_server.clients.snippets import PACKAGE, Snippet, snippets
from cloudrepo_server.clients.systems import SYSTEMS

_TOOLS: Final = ("pip", "uv", "poetry", "pdm")
_INSTALL: Final = "Install"


def release_snippets(
    connection: Connection, project: str, version: str, sha256: Sequence[str], system: str
) -> Mapping[str, Snippet]:
    """Return the commands that install a release, by tool, and a requirements file with hashes.

    Args:
        connection: the repository and its user.
        project: the project's name.
        version: the version.
        sha256: the SHA-256 digests of the release's files.
        system: one of `SYSTEMS`, on which the commands are run.
    """
    requirement = f"{project}=={version}"
    found = {
        tool: Snippet(each.title, each.text.replace(PACKAGE, SYSTEMS[system].quote(requirement)))
        for tool, of_tool in snippets(connection, system).items()
        if tool in _TOOLS
        for each in of_tool
        if each.title == _INSTALL
    }
    hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sha256)
    found["requirements.txt"] = Snippet(
        "With hashes",
        f"--index-url {connection.index_url}\n{requirement}{hashes}\n",
        "requirements.txt",
    )
    return found
