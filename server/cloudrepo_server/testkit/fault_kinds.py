"""The kinds of faults: what a repository does instead of its normal response."""

import re
from typing import Annotated, ClassVar, Literal, get_args

import msgspec
from msgspec import Meta

from cloudrepo_server.limits import MAX_FAULT_HEADERS, MAX_FAULT_TEXT

RequestKind = Literal["root", "page", "file", "metadata", "json", "provenance", "upload"]

_READS: frozenset[RequestKind] = frozenset(
    {"root", "page", "file", "metadata", "json", "provenance"}
)
_ALL: frozenset[RequestKind] = _READS | {"upload"}
_URL = re.compile(r"[!-~]+", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]
Text = Annotated[str, Meta(max_length=MAX_FAULT_TEXT)]
StatusCode = Annotated[int, Meta(ge=200, le=599)]


class Fault(
    msgspec.Struct, tag_field="kind", forbid_unknown_fields=True, kw_only=True, frozen=True
):
    """The conditions that every kind of fault has."""

    request_kinds: ClassVar[frozenset[RequestKind]] = _ALL
    combines: ClassVar[bool] = False
    """Whether it can fire together with another fault."""
    checked: ClassVar[str] = ""
    """The parameter that the kind itself checks, beyond its type, if there is one."""

    times: Positive | None = None
    every: Positive = 1
    method: Text | None = None
    path: Text = "*"
    project: Text | None = None
    user: Text | None = None


class Status(Fault, tag="status", frozen=True, kw_only=True):
    """An error response with this status, instead of the normal response."""

    checked: ClassVar[str] = "headers"

    status: StatusCode
    reason: Text | None = None
    headers: Annotated[dict[Text, Text], Meta(max_length=MAX_FAULT_HEADERS)] = msgspec.field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            if _HEADER_NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} is not a valid header name")
            if not value.isprintable():
                raise ValueError(f"the value of the header {name} is not printable")


class Latency(Fault, tag="latency", frozen=True, kw_only=True):
    """A delay before the response."""

    combines: ClassVar[bool] = True

    seconds: Seconds


class Drip(Fault, tag="drip", frozen=True, kw_only=True):
    """A response that is sent slowly."""

    request_kinds: ClassVar[frozenset[RequestKind]] = _READS
    combines: ClassVar[bool] = True

    bytes_per_second: Positive


class SlowHeaders(Fault, tag="slow-headers", frozen=True, kw_only=True):
    """A response whose status line and headers arrive byte by byte, within this time."""

    seconds: Seconds


class MissingETag(Fault, tag="missing-etag", frozen=True, kw_only=True):
    """A response without an entity tag, so that clients cannot revalidate their copies."""

    request_kinds: ClassVar[frozenset[RequestKind]] = _READS


class Reset(Fault, tag="reset", frozen=True, kw_only=True):
    """A connection reset before, during or after the body of the upload or of the response."""

    when: Literal["before", "during", "after"] = "before"


class Truncate(Fault, tag="truncate", frozen=True, kw_only=True):
    """A response that ends after `keep` bytes, before its Content-Length."""

    request_kinds: ClassVar[frozenset[RequestKind]] = _READS

    keep: Annotated[int, Meta(ge=0)] = 0


class Corrupt(Fault, tag="corrupt", frozen=True, kw_only=True):
    """A file with one wrong byte."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"file", "metadata"})


class WrongHash(Fault, tag="wrong-hash", frozen=True, kw_only=True):
    """A project page with wrong digests of the files."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"page"})


class WrongMetadataHash(Fault, tag="wrong-metadata-hash", frozen=True, kw_only=True):
    """A project page with wrong digests of the core metadata files."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"page"})


class MissingMetadata(Fault, tag="missing-metadata", frozen=True, kw_only=True):
    """A core metadata file that the project page announces but that is not found."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"metadata"})


class StalePage(Fault, tag="stale-page", frozen=True, kw_only=True):
    """Pages as they were when the fault was installed (eventual consistency)."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"root", "page", "json"})


class StoredThenError(Fault, tag="stored-then-error", frozen=True, kw_only=True):
    """An error response to an upload that was stored."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"upload"})

    status: StatusCode = 503


class Redirect(Fault, tag="redirect", frozen=True, kw_only=True):
    """A redirect to another URL, perhaps of another host or scheme, instead of the response."""

    checked: ClassVar[str] = "location"

    location: Text
    status: Literal[301, 302, 303, 307, 308] = 302

    def __post_init__(self) -> None:
        if _URL.fullmatch(self.location) is None:
            raise ValueError("the location is not a URL")


class HtmlErrorPage(Fault, tag="html-error-page", frozen=True, kw_only=True):
    """An HTML page instead of the response, as some proxies and sign-in services send."""

    status: StatusCode = 200


class WrongContentType(Fault, tag="wrong-content-type", frozen=True, kw_only=True):
    """A response with another content type."""

    request_kinds: ClassVar[frozenset[RequestKind]] = _READS
    checked: ClassVar[str] = "content_type"

    content_type: Text = "text/plain"

    def __post_init__(self) -> None:
        if not (self.content_type.isascii() and self.content_type.isprintable()):
            raise ValueError("the content type is not printable ASCII")


class IgnoreRange(Fault, tag="ignore-range", frozen=True, kw_only=True):
    """The whole file, although the client requested a range, and ranges are offered."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"file", "metadata"})


class WrongRange(Fault, tag="wrong-range", frozen=True, kw_only=True):
    """Another range than the requested one, with the header `Content-Range: bytes 0-0/*`."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"file", "metadata"})


class WrongSize(Fault, tag="wrong-size", frozen=True, kw_only=True):
    """A project page with wrong sizes of the files."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"page"})


class OtherMetadata(Fault, tag="other-metadata", frozen=True, kw_only=True):
    """Core metadata that differ from those in the wheel, with their own digest on the page."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"page", "metadata"})

    content: Text

    @property
    def data(self) -> bytes:
        """The bytes of the core metadata."""
        return self.content.encode(errors="surrogatepass")


class CloseKeepAlive(Fault, tag="close-keep-alive", frozen=True, kw_only=True):
    """A connection that is closed after the response, although the response kept it alive."""


FaultSpecification = (
    Status
    | Latency
    | Drip
    | SlowHeaders
    | MissingETag
    | Reset
    | Truncate
    | Corrupt
    | WrongHash
    | WrongMetadataHash
    | MissingMetadata
    | StalePage
    | StoredThenError
    | Redirect
    | HtmlErrorPage
    | WrongContentType
    | IgnoreRange
    | WrongRange
    | WrongSize
    | OtherMetadata
    | CloseKeepAlive
)


KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(FaultSpecification))


def parameters_of_kinds() -> dict[str, list[str]]:
    """Return the parameters that only some kinds have, each with the names of these kinds."""
    found: dict[str, list[str]] = {}
    for kind in get_args(FaultSpecification):
        for name in kind.__struct_fields__:
            if name not in Fault.__struct_fields__:
                found.setdefault(name, []).append(str(kind.__struct_config__.tag))
    return found
