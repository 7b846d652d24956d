"""The README of a project's latest release, rendered to HTML without active content."""

import asyncio
from dataclasses import dataclass

from cachetools import LRUCache
from markupsafe import Markup
from multipart import parse_options_header
from packaging.metadata import parse_email

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.web.portal.releases import latest_version

_MAX_CHARACTERS = 256 << 10
_MAX_CACHED_CHARACTERS = 4 << 20
_ENTRY_OVERHEAD = 512


@dataclass(frozen=True, slots=True)
class Readme:
    """A release's summary and README; if `html` is None, the page shows `text` unchanged."""

    summary: str
    text: str
    html: Markup | None
    has_images: bool


async def load_readme(repository: Repository, project: ProjectDocument) -> Readme | None:
    """Return the README of the latest release, or None if no file of it has core metadata."""
    latest = latest_version(project)
    with_metadata = [
        file
        for _, file in sorted(project.files.items())
        if file.version == latest and file.metadata_sha256 is not None
    ]
    if not with_metadata:
        return None
    # Prefer a wheel: its metadata is what installers read.
    file = min(with_metadata, key=lambda each: not each.filename.endswith(".whl"))
    return await _load(repository, file)


async def _load(repository: Repository, file: File) -> Readme | None:
    key = file.metadata_sha256 or ""
    if key in _cache:
        return _cache[key]
    try:
        metadata = await (await repository.metadata(file)).read()
    except FileNotFoundError:
        # An upload replaced the file after its project was read.
        return None
    readme = await asyncio.to_thread(_render, metadata)
    if _cached_size(readme) <= _MAX_CACHED_CHARACTERS:
        _cache[key] = readme
    return readme


def _cached_size(readme: Readme) -> int:
    return _ENTRY_OVERHEAD + len(readme.text) + len(readme.html or "")


_cache: LRUCache[str, Readme] = LRUCache(_MAX_CACHED_CHARACTERS, getsizeof=_cached_size)


def _render(metadata: bytes) -> Readme:
    raw, unparsed = parse_email(metadata)
    text = raw.get("description", "")
    if not text:
        # A README that is not valid UTF-8 is shown with replacement characters.
        parts: list[str | bytes] = list(unparsed.get("description", []))
        text = "".join(
            part.decode(errors="replace") if isinstance(part, bytes) else part for part in parts
        )
    if not metadata.replace(b"\r\n", b"\n").partition(b"\n\n")[2].strip():
        # Before metadata 2.1 the README was a header, whose continuation lines are indented.
        text = text.replace("\n       |", "\n").replace("\n        ", "\n")
    html = None
    if text.strip() and len(text) <= _MAX_CHARACTERS:
        html = _to_html(text, raw.get("description_content_type", ""))
    return Readme(
        summary=raw.get("summary", ""),
        text=text[:_MAX_CHARACTERS],
        html=None if html is None else _clean(html),
        has_images=html is not None and "<img " in html,
    )


def _to_html(text: str, content_type: str) -> str | None:
    # Imported with the first README, because docutils and Pygments are slow to import.
    from readme_renderer import markdown, rst

    kind, options = parse_options_header(content_type)
    if kind == "text/markdown":
        return markdown.render(text, variant=options.get("variant", "GFM"))
    if kind in ("", "text/x-rst"):
        # The default type is reStructuredText. The renderer returns None for invalid text.
        return rst.render(text)
    return None


def _clean(html: str) -> Markup | None:
    # Images would be loaded from other servers. Checkboxes have no label, and the attribute with
    # the language of a code block has no meaning to screen readers.
    from readme_renderer.clean import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, clean

    cleaned = clean(
        html,
        tags=ALLOWED_TAGS - {"img", "picture", "input"},
        attributes={**ALLOWED_ATTRIBUTES, "pre": {"class"}},
    )
    return None if cleaned is None else Markup(cleaned)  # noqa: S704 (cleaned just above)
