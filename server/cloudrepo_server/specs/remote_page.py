"""The pages of other indexes: parsed once, into a bounded type, whatever they contain.

Everything that is read here is shown to clients of this server, so each value must be valid for its
field. Parsing takes linear time, unlike `html.parser` with hostile input.

https://packaging.python.org/specifications/simple-repository-api/
"""

import html
import re
from collections.abc import Iterable
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
from cloudrepo_server.specs.digests import ListedDigests
from cloudrepo_server.specs.filenames import check_filename
from cloudrepo_server.specs.simple_api import HTML, HTML_V1, JSON_V1

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_URL = re.compile(r"[!-~]+", re.ASCII)
_ELEMENT_START = re.compile(r"<(?:a|base)(?=[\s/>])", re.IGNORECASE)
# Possessive quantifiers: no character is tried twice.
_ATTRIBUTE = r"""[^\s"'<>/=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>=`]++))?+"""
_ELEMENT = re.compile(
    rf"<(?P<name>a|base)(?P<attributes>(?:[\s/]++{_ATTRIBUTE})*+)[\s/]*+>", re.IGNORECASE
)
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
    digests: dict[str, str] = {}
    """The digests by algorithm, in the order of preference."""
    size: int = 0
    upload_time: str | None = None
    requires_python: str | None = None
    metadata_sha256: str | None = None
    yanked: str | None = None


class ProjectPage(msgspec.Struct, frozen=True):
    """Another index's page of a project."""

    files: list[PageFile]
    base: str = ""
    """The base of the files' relative URLs. It may itself be relative to the page's URL."""


class _JsonFile(msgspec.Struct, rename="kebab", frozen=True):
    filename: _Text
    url: _Text
    hashes: ListedDigests = ListedDigests()
    size: Annotated[int, Meta(ge=0)] | None = None
    upload_time: _Text | None = None
    requires_python: _Text | None = None
    core_metadata: bool | ListedDigests | None = None
    data_dist_info_metadata: bool | ListedDigests | None = None
    yanked: bool | _Text | None = None


class _JsonPage(msgspec.Struct, frozen=True):
    files: Annotated[list[_JsonFile], Meta(max_length=REMOTE_PAGE_FILES)]


def read_project_page(content_type: str, body: bytes | bytearray) -> ProjectPage:
    """Return what a page lists, without the files whose names no repository accepts.

    Raises:
        InvalidError: it is not a valid page of a project.
    """
    try:
        if content_type == JSON_V1:
            listed = msgspec.json.decode(body, type=_JsonPage).files
            return _page(_from_json(file) for file in listed)
        if content_type in (HTML, HTML_V1):
            return _from_html(body.decode(errors="replace"))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidError(str(error)[:200] or "it is nested too deeply") from error
    raise InvalidError(f"its content type is {content_type[:64]!r}")


def _page(files: Iterable[PageFile | None], base: str = "") -> ProjectPage:
    return ProjectPage([file for file in files if file is not None], base)


def _from_json(file: _JsonFile) -> PageFile | None:
    metadata = file.core_metadata
    if metadata is None:
        metadata = file.data_dist_info_metadata
    yanked = file.yanked if isinstance(file.yanked, str) else "" if file.yanked else None
    return _page_file(
        PageFile(
            filename=file.filename,
            url=file.url,
            digests=file.hashes.by_algorithm(),
            size=file.size or 0,
            upload_time=file.upload_time,
            requires_python=file.requires_python,
            metadata_sha256=_sha256(metadata) if isinstance(metadata, ListedDigests) else None,
            yanked=yanked,
        )
    )


def _from_html(page: str) -> ProjectPage:
    files: list[PageFile | None] = []
    base = ""
    for start in _ELEMENT_START.finditer(page):
        # Each attribute of a link takes memory, so the end of a longer link is not searched for.
        element = _ELEMENT.match(page, start.start(), start.start() + MAX_LINK)
        if element is None:
            raise InvalidError(f"a link is not valid HTML of at most {MAX_LINK} characters")
        if len(files) >= REMOTE_PAGE_FILES:
            raise InvalidError(f"it has more than {REMOTE_PAGE_FILES} files")
        attributes = _attributes(element)
        if element["name"].lower() == "a":
            files.append(_from_anchor(attributes))
        else:
            # In HTML, only the first base element counts.
            base = base or _base(attributes)
    return _page(files, base)


def _attributes(element: re.Match[str]) -> dict[str, str]:
    return {
        name.lower(): _unescape(double or single or bare)
        for name, double, single, bare in _NAME_AND_VALUE.findall(element["attributes"])
    }


def _base(attributes: dict[str, str]) -> str:
    base = attributes.get("href", "").strip()
    if base and _URL.fullmatch(base) is None:
        raise InvalidError("its base URL is not a URL")
    return base


def _from_anchor(attributes: dict[str, str]) -> PageFile | None:
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
            digests=ListedDigests.of_fragment(fragment).by_algorithm(),
            requires_python=attributes.get("data-requires-python"),
            metadata_sha256=_sha256(ListedDigests.of_fragment(metadata)),
            yanked=attributes.get("data-yanked"),
        )
    )


def _sha256(digests: ListedDigests) -> str | None:
    return digests.by_algorithm().get("sha256")


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
    if len(file.requires_python or "") > MAX_REQUIRES_PYTHON:
        raise InvalidError(f"the requires-python of {file.filename} is too long")
    time = file.upload_time
    if time is not None and _TIME.fullmatch(time) is None:
        raise InvalidError(f"the upload time of {file.filename} is not a time")
    return file
