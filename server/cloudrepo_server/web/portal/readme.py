"""The README of a release, rendered to HTML without active content."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachetools import LRUCache
from markupsafe import Markup

from cloudrepo_server.domain.readme_process import NOT_RENDERED, ReadmeProcess
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import BusyError
from cloudrepo_server.models import File, ProjectDocument

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata

_MAX_CHARACTERS = 256 << 10
_MAX_SUMMARY = 2048
_MAX_CACHED_CHARACTERS = 4 << 20
_ENTRY_OVERHEAD = 512


@dataclass(frozen=True, slots=True)
class Readme:
    """A release's summary and README; if `html` is None, the page shows `text` unchanged."""

    summary: str
    text: str
    html: Markup | None
    has_images: bool
    lacks_renderer: bool


class Readmes:
    """The READMEs of projects: renders each once, and caches it."""

    def __init__(self, process: ReadmeProcess) -> None:
        self._process = process
        self._cache: LRUCache[str, Readme] = LRUCache(
            _MAX_CACHED_CHARACTERS, getsizeof=_cached_size
        )

    async def load(
        self, repository: Repository, project: ProjectDocument, version: str
    ) -> Readme | None:
        """Return the README of a release, or None if none of its files has core metadata."""
        with_metadata = [
            file
            for file in project.files.values()
            if file.version == version and file.metadata_sha256 is not None
        ]
        if not with_metadata:
            return None
        # Prefer a wheel: its metadata is what installers read.
        file = min(
            with_metadata, key=lambda each: (not each.filename.endswith(".whl"), each.filename)
        )
        try:
            return await self.render(file, await repository.core_metadata(file))
        except FileNotFoundError:
            # An upload replaced the file after its project was read.
            return None

    async def render(self, file: File, metadata: "RawMetadata") -> Readme:
        """Return the README in the core metadata of a file."""
        key = file.metadata_sha256 or file.blob
        if key in self._cache:
            return self._cache[key]
        text = metadata.get("description", "")
        rendered, is_final = NOT_RENDERED, True
        if text.strip() and len(text) <= _MAX_CHARACTERS:
            content_type = metadata.get("description_content_type", "")
            try:
                rendered = await self._process.render(text, content_type)
            except BusyError:
                # This page shows the text. A later request may show the HTML.
                is_final = False
        readme = Readme(
            summary=metadata.get("summary", "")[:_MAX_SUMMARY],
            text=text[:_MAX_CHARACTERS],
            html=None if rendered.html is None else Markup(rendered.html),  # noqa: S704 (cleaned)
            has_images=rendered.has_images,
            lacks_renderer=rendered.lacks_renderer,
        )
        if is_final and _cached_size(readme) <= _MAX_CACHED_CHARACTERS:
            self._cache[key] = readme
        return readme


def _cached_size(readme: Readme) -> int:
    return _ENTRY_OVERHEAD + len(readme.text) + len(readme.html or "")
