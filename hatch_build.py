"""The build hook that makes the relative links of README.md absolute on the PyPI page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from hatchling.metadata.plugin.interface import MetadataHookInterface

# The target of a Markdown link or picture that is neither a URL nor an anchor.
LINK = re.compile(r"(?P<picture>!?)(?P<text>\[[^\]]*\])\((?![a-z]+:|#)(?P<target>[^)]+)\)")


def with_absolute_links(readme: str, repository: str) -> str:
    """Return the README with its relative links resolved against the repository's URL."""

    def absolute(link: re.Match[str]) -> str:
        view = "raw" if link["picture"] else "blob"
        url = urljoin(f"{repository}/{view}/main/", link["target"])
        return f"{link['picture']}{link['text']}({url})"

    return LINK.sub(absolute, readme)


class ReadmeHook(MetadataHookInterface):
    """Sets the dynamic field `readme`; `[tool.hatch.metadata.hooks.custom]` registers it."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the project's description to the README with absolute links."""
        readme = Path(self.root, "README.md").read_text("utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(readme, metadata["urls"]["Repository"]),
        }
