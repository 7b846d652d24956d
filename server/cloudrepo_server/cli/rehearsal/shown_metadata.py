"""Reads the rehearsed index as its clients do, and compares what it shows with each file."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any, Self

import aiohttp
import msgspec

from cloudrepo_server.cli.rehearsal.comparison import (
    Fields,
    find_differences,
    form_fields,
    same_specifier,
)
from cloudrepo_server.cli.rehearsal.index import RehearsedIndex
from cloudrepo_server.cli.rehearsal.report import Difference
from cloudrepo_server.errors import truncate
from cloudrepo_server.limits import JOURNAL_TEXT, Limits
from cloudrepo_server.models import File
from cloudrepo_server.specs.archives import find_metadata
from cloudrepo_server.specs.core_metadata import read_form_fields
from cloudrepo_server.specs.simple_api import JSON_V1

_TIMEOUT_SECONDS = 60.0


class MetadataReader:
    """A client of the rehearsed index."""

    def __init__(self, index: RehearsedIndex) -> None:
        self._index = index
        self._context = index.tls_context()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS), raise_for_status=True
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def differences(
        self, project: str, file: File, form: Mapping[str, list[str]] | None
    ) -> tuple[Difference, ...]:
        """Return the differences between the metadata in a file and those that the index shows.

        Args:
            project: the normalized name of the project.
            file: the file.
            form: the upload form from which PyPI makes the page of the release, if it is known.
        """
        listed = await self._listed(project, file.filename)
        content = await self._get(str(listed["url"]))
        metadata = find_metadata(file.filename, BytesIO(content), Limits()) or b""
        archive = read_form_fields(metadata)
        found = [*_page_differences(listed, content, archive)]
        if listed.get("core-metadata"):
            separate = await self._get(f"{listed['url']}.metadata")
            if separate != metadata:
                found.append(
                    Difference(
                        "core metadata",
                        "simple API",
                        f"{len(separate)} bytes",
                        f"{len(metadata)} bytes",
                    )
                )
        url = f"{self._index.urls.web}/pypi/{project}/{file.version}/json"
        info = msgspec.json.decode(await self._get(url))["info"]
        found += find_differences(form_fields(info), archive, "JSON API")
        if form is not None:
            found += find_differences(form, _truncated(archive), "upload form")
        return tuple(found)

    async def _listed(self, project: str, filename: str) -> dict[str, Any]:
        page = await self._get(f"{self._index.urls.simple}{project}/", Accept=JSON_V1)
        files: Iterable[dict[str, Any]] = msgspec.json.decode(page)["files"]
        return next(file for file in files if file["filename"] == filename)

    async def _get(self, url: str, **headers: str) -> bytes:
        async with self._session.get(
            url, headers=headers, proxy=self._index.proxy, ssl=self._context
        ) as response:
            return await response.read()


def _page_differences(
    listed: Mapping[str, Any], content: bytes, archive: Fields
) -> Iterator[Difference]:
    digest = hashlib.sha256(content).hexdigest()
    if listed["hashes"].get("sha256") != digest:
        yield Difference("sha256", "simple API", str(listed["hashes"].get("sha256")), digest)
    if listed.get("size") != len(content):
        yield Difference("size", "simple API", str(listed.get("size")), str(len(content)))
    shown = listed.get("requires-python")
    stated = next(iter(archive.get("requires_python", ())), None)
    if not same_specifier(shown, stated):
        yield Difference("Requires-Python", "simple API", shown, stated)


def _truncated(fields: Fields) -> dict[str, list[str]]:
    # The journal, which has the form, truncates its values.
    return {
        name: [truncate(value, JOURNAL_TEXT) for value in values] for name, values in fields.items()
    }
