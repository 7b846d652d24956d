"""A store that was named by its URL, found fit to be shared."""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, S3Store

from cloudrepo_server.errors import StorageError
from cloudrepo_server.storage.shared import READY, SharedStorage, unchanged

if TYPE_CHECKING:
    from obstore.store import BackoffConfig, ClientConfig, RetryConfig

    from cloudrepo_server.storage.shared_blobs import RemoteStore

_KINDS: dict[str, tuple[type[RemoteStore], str]] = {
    "s3": (S3Store, "AWS"),
    "gs": (GCSStore, "GOOGLE"),
    "az": (AzureStore, "AZURE"),
}

# obstore reads all settings of a store from the environment, but these no more where others are
# given.
_CLIENT_OPTIONS = (
    "allow_http",
    "allow_invalid_certificates",
    "proxy_url",
    "proxy_ca_certificate",
    "proxy_excludes",
    "connect_timeout",
    "timeout",
)
_CONNECT = "2s"
# A document is small: a store that serves at all answers by then, and a client hears of it by then.
_DOCUMENT_TIMEOUT, _DOCUMENT_RETRIES, _DOCUMENT_RETRY_SECONDS = "4s", 3, 4.0
# Five mebibytes may be on the way that long.
_BLOB_TIMEOUT, _BLOB_RETRIES, _BLOB_RETRY_SECONDS = "30s", 5, 30.0
_BACKOFF: BackoffConfig = {
    "init_backoff": timedelta(milliseconds=50),
    "max_backoff": timedelta(seconds=2),
    "base": 2,
}


async def open_shared(url: str, *, presigned: bool = False) -> SharedStorage:
    """The store at a URL, such as `s3://bucket/prefix`, with what the environment says of it.

    Raises:
        StorageError: it cannot be used, or several servers cannot share it.
    """
    shown = _shown(url)
    try:
        documents = _connect(url, _DOCUMENT_TIMEOUT, _DOCUMENT_RETRIES, _DOCUMENT_RETRY_SECONDS)
        blobs = _connect(url, _BLOB_TIMEOUT, _BLOB_RETRIES, _BLOB_RETRY_SECONDS)
        bare_tags = await _probe(documents, shown)
        await obstore.put_async(documents, READY, b"")
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StorageError(f"{shown} refuses the credentials of the environment") from error
    except FileNotFoundError as error:
        raise StorageError(f"{shown} is not there: make the bucket or container first") from error
    except (BaseError, OSError, ValueError) as error:
        prefix = _KINDS[urlsplit(url).scheme][1]
        raise StorageError(
            f"{shown} cannot be used, with what the variables {prefix}_... say: "
            f"{_first_line(error)}"
        ) from error
    return SharedStorage(documents=documents, blobs=blobs, bare_tags=bare_tags, presigned=presigned)


def _connect(url: str, timeout: str, retries: int, retry_seconds: float) -> RemoteStore:
    kind, prefix = _KINDS[urlsplit(url).scheme]
    options: ClientConfig = {"connect_timeout": _CONNECT, "timeout": timeout}
    for name in _CLIENT_OPTIONS:
        value = os.environ.get(f"{prefix}_{name.upper()}")
        if value:
            options[name] = value  # type: ignore[literal-required]  # one of its own names
    retry: RetryConfig = {
        "max_retries": retries,
        "retry_timeout": timedelta(seconds=retry_seconds),
        "backoff": _BACKOFF,
    }
    return kind.from_url(url, client_options=options, retry_config=retry)


async def _probe(store: RemoteStore, shown: str) -> bool:
    """Whether the store compares entity tags without their quotes, as some releases of Ceph do.

    Some stores take a condition and ignore it: two servers would overwrite each other's changes.

    Raises:
        StorageError: it is one of those.
    """
    key = f"checks/{secrets.token_hex(8)}"
    try:
        with contextlib.suppress(AlreadyExistsError):
            first = await obstore.put_async(store, key, b"1", mode="create")
            await obstore.put_async(store, key, b"2", mode="create")
            raise _unfit(shown, "it overwrites what is to be created")
        for bare in (False, True):
            version = unchanged(first, bare_tags=bare)
            try:
                await obstore.put_async(store, key, b"3", mode=version)
            except PreconditionError:
                continue
            with contextlib.suppress(PreconditionError):
                await obstore.put_async(store, key, b"4", mode=version)
                raise _unfit(shown, "it overwrites what somebody else changed")
            return bare
        raise _unfit(shown, "it refuses every conditional update")
    except (NotImplementedError, NotSupportedError) as error:
        raise _unfit(shown, "it knows no conditional update") from error
    finally:
        with contextlib.suppress(BaseError, OSError):
            await obstore.delete_async(store, key)


def _unfit(shown: str, reason: str) -> StorageError:
    return StorageError(
        f"{shown} cannot be shared by several servers: {reason}. "
        "Use a store with conditional writes, or a folder for one server"
    )


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
