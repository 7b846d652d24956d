"""The pages of other indexes: parsed once, into a bounded type, whatever they contain.

Everything that is read here is shown to clients of this server, so each value must be valid for its
field. Parsing takes linear time, unlike `html.parser` with hostile input.

https://packaging.python.org/specifications/simple-repository-api/
"""

import html
import re
from typing import Annotated
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import (
    MAX_LINK,
    MAX_REQUIRES_PYTHON,
    REMOTE_FIELD,
    REMOTE_PAGE_FILES,
)
from cloudrepo_server.specs.filenames import check_filename
from cloudrepo_server.specs.simple_api import HTML, HTML_V1, JSON_V1

_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE | re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_URL = re.compile(r"[!-~]+", re.ASCII)
_ANCHOR_START = re.compile(r"<a(?=[\s/>])", re.IGNORECASE)
# Possessive quantifiers: no character is tried twice.
_ATTRIBUTE = r"""[^\s"'<>/=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>=`]++))?+"""
_ANCHOR = re.compile(rf"<a(?P<attributes>(?:[\s/]++{_ATTRIBUTE})*+)[\s/]*+>", re.IGNORECASE)
_NAME_AND_VALUE = re.compile(
    r"""([^\s"'<>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'<>=`]++)))?+"""
)

# Other links of an HTML page, such as those to other pages, are not files.
_FILE_ENDINGS = (
    *(".whl", ".zip", ".egg", ".exe", ".rpm", ".deb", ".dmg", ".msi", ".tar", ".tgz", ".tbz"),
    *(".tar.gz", ".tar.bz2", ".tar.xz", ".tar.Z", ".tar.lz", ".tar.lzma", ".txz", ".tlz"),
)

_Text = Annotated[str, Meta(max_length=REMOTE_FIELD)]


class PageFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file on another index's page of a project."""

    filename: str
    url: str
    """The URL as the page has it: relative or absolute, of any origin, in printable ASCII."""
    sha256: str = ""
    size: int = 0
    upload_time: str | None = None
    requires_python: str | None = None
    metadata_sha256: str | None = None
    yanked: str | None = None


class _Digests(msgspec.Struct, frozen=True):
    """The digests of a file, of which only one is used."""

    sha256: _Text | None = None


class _JsonFile(msgspec.Struct, rename="kebab"):
    filename: _Text
    url: _Text
    hashes: _Digests = _Digests()
    size: Annotated[int, Meta(ge=0)] | None = None
    upload_time: _Text | None = None
    requires_python: _Text | None = None
    core_metadata: bool | _Digests | None = None
    data_dist_info_metadata: bool | _Digests | None = None
    yanked: bool | _Text | None = None


class _JsonPage(msgspec.Struct):
    files: Annotated[list[_JsonFile], Meta(max_length=REMOTE_PAGE_FILES)]


def read_project_page(content_type: str, body: bytes | bytearray) -> list[PageFile]:
    """Return the files on a page; those whose names no repository accepts are left out.

    Raises:
        InvalidError: it is not a valid page of a project.
    """
    try:
        if content_type == JSON_V1:
            files = [_from_json(file) for file in msgspec.json.decode(body, type=_JsonPage).files]
        elif content_type in (HTML, HTML_V1):
            files = _from_html(body.decode(errors="replace"))
        else:
            raise InvalidError(f"its content type is {content_type[:64]!r}")
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidError(str(error)[:200] or "it is nested too deeply") from error
    return [file for file in files if file is not None]


def _from_json(file: _JsonFile) -> PageFile | None:
    metadata = file.core_metadata
    if metadata is None:
        metadata = file.data_dist_info_metadata
    yanked = file.yanked if isinstance(file.yanked, str) else "" if file.yanked else None
    return _page_file(
        PageFile(
            filename=file.filename,
            url=file.url,
            sha256=file.hashes.sha256 or "",
            size=file.size or 0,
            upload_time=file.upload_time,
            requires_python=file.requires_python,
            metadata_sha256=metadata.sha256 if isinstance(metadata, _Digests) else None,
            yanked=yanked,
        )
    )


def _from_html(page: str) -> list[PageFile | None]:
    files: list[PageFile | None] = []
    for start in _ANCHOR_START.finditer(page):
        # Each attribute of a link takes memory, so the end of a longer link is not searched for.
        anchor = _ANCHOR.match(page, start.start(), start.start() + MAX_LINK)
        if anchor is None:
            raise InvalidError(f"a link is not valid HTML of at most {MAX_LINK} characters")
        if len(files) >= REMOTE_PAGE_FILES:
            raise InvalidError(f"it has more than {REMOTE_PAGE_FILES} files")
        files.append(_from_anchor(anchor))
    return files


def _from_anchor(anchor: re.Match[str]) -> PageFile | None:
    attributes = {
        name.lower(): _unescape(double or single or bare)
        for name, double, single, bare in _NAME_AND_VALUE.findall(anchor["attributes"])
    }
    url, _, fragment = attributes.get("href", "").strip().partition("#")
    if not url:
        return None
    metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata", ""))
    # The text of a link must be the file's name, but pip takes the name from the URL.
    name = unquote(url.partition("?")[0].rpartition("/")[2])
    if not name.endswith(_FILE_ENDINGS):
        return None
    return _page_file(
        PageFile(
            filename=name,
            url=url,
            sha256=fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else "",
            requires_python=attributes.get("data-requires-python"),
            metadata_sha256=metadata.removeprefix("sha256=") if "=" in metadata else None,
            yanked=attributes.get("data-yanked"),
        )
    )


def _unescape(value: str) -> str:
    if len(value) > REMOTE_FIELD:
        raise InvalidError(f"an attribute is longer than {REMOTE_FIELD} characters")
    return html.unescape(value)


def _page_file(file: PageFile) -> PageFile | None:
    try:
        check_filename(file.filename)
    except InvalidError:
        return None
    if _URL.fullmatch(file.url) is None:
        raise InvalidError(f"the URL of {file.filename} is not a URL")
    for digest in (file.sha256, file.metadata_sha256):
        if digest and _SHA256.fullmatch(digest) is None:
            raise InvalidError(f"a digest of {file.filename} is not a SHA-256 digest")
    if len(file.requires_python or "") > MAX_REQUIRES_PYTHON:
        raise InvalidError(f"the requires-python of {file.filename} is too long")
    time = file.upload_time
    if time is not None and _TIME.fullmatch(time) is None:
        raise InvalidError(f"the upload time of {file.filename} is not a time")
    return file
