"""The README of a project's latest release, rendered so that nothing in it can act."""

import asyncio
from dataclasses import dataclass

from cachetools import LRUCache
from markupsafe import Markup
from multipart import parse_options_header
from packaging.metadata import parse_email

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.web.portal.releases import latest_version

_MAX_RENDERED = 256 << 10
_CACHE_CHARACTERS = 4 << 20


@dataclass(frozen=True, slots=True)
class Readme:
    """What a release says of itself; where `html` is None the text is shown as it is."""

    filename: str
    summary: str
    text: str
    html: Markup | None
    has_pictures: bool


async def read_readme(repository: Repository, project: ProjectDocument) -> Readme | None:
    """The README of the latest release, or None where its files tell none."""
    latest = latest_version(project)
    described = [
        file
        for _, file in sorted(project.files.items())
        if file.version == latest and file.metadata_sha256 is not None
    ]
    if not described:
        return None
    # Of a wheel, whose metadata are those that are installed.
    file = min(described, key=lambda each: not each.filename.endswith(".whl"))
    return await _read(repository, file)


async def _read(repository: Repository, file: File) -> Readme | None:
    key = f"{file.metadata_sha256} {file.filename}"
    if key in _rendered:
        return _rendered[key]
    try:
        metadata = await (await repository.metadata(file)).read()
    except FileNotFoundError:
        # The file was replaced a moment ago.
        return None
    readme = await asyncio.to_thread(_render, file.filename, metadata)
    if _weight(readme) <= _CACHE_CHARACTERS:
        _rendered[key] = readme
    return readme


def _weight(readme: Readme) -> int:
    return 512 + len(readme.text) + len(readme.html or "")


_rendered: LRUCache[str, Readme] = LRUCache(_CACHE_CHARACTERS, getsizeof=_weight)


def _render(filename: str, metadata: bytes) -> Readme:
    raw, unparsed = parse_email(metadata)
    text = raw.get("description", "")
    if not text:
        # What is not UTF-8 is still worth reading.
        parts: list[str | bytes] = list(unparsed.get("description", []))
        text = "".join(
            part.decode(errors="replace") if isinstance(part, bytes) else part for part in parts
        )
    if not metadata.replace(b"\r\n", b"\n").partition(b"\n\n")[2].strip():
        # It was a header, as before metadata 2.1, whose lines are set in.
        text = text.replace("\n       |", "\n").replace("\n        ", "\n")
    rendered = None
    if text.strip() and len(text) <= _MAX_RENDERED:
        rendered = _to_html(text, raw.get("description_content_type", ""))
    return Readme(
        filename=filename,
        summary=raw.get("summary", ""),
        text=text[:_MAX_RENDERED],
        html=None if rendered is None else _without_pictures(rendered),
        has_pictures=rendered is not None and "<img " in rendered,
    )


def _to_html(text: str, content_type: str) -> str | None:
    # Imported at the first README: docutils and the highlighter take a while.
    from readme_renderer import markdown, rst

    kind, options = parse_options_header(content_type)
    if kind == "text/markdown":
        return markdown.render(text, variant=options.get("variant", "GFM"))
    if kind in ("", "text/x-rst"):
        # It is also what a text without a type may be; what cannot be read so is None.
        return rst.render(text)
    return None


def _without_pictures(html: str) -> Markup | None:
    # Pictures would be asked of other servers. Boxes have no label and code no language that a
    # screen reader knows.
    from readme_renderer.clean import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, clean

    cleaned = clean(
        html,
        tags=ALLOWED_TAGS - {"img", "picture", "input"},
        attributes={**ALLOWED_ATTRIBUTES, "pre": {"class"}},
    )
    return None if cleaned is None else Markup(cleaned)  # noqa: S704 (it was just cleaned)
