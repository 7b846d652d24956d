"""Connecting to a shared store by its URL, and checking that several servers can share it."""

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
from cloudrepo_server.storage.failures import no_store
from cloudrepo_server.storage.format import CURRENT_FORMAT, FORMAT_KEY, check_format
from cloudrepo_server.storage.shared import READY, SharedStorage
from cloudrepo_server.storage.shared_documents import if_unchanged

if TYPE_CHECKING:
    from obstore.store import BackoffConfig, ClientConfig, RetryConfig

    from cloudrepo_server.storage.shared_blobs import RemoteStore

_KINDS: dict[str, tuple[type[RemoteStore], str]] = {
    "s3": (S3Store, "AWS"),
    "gs": (GCSStore, "GOOGLE"),
    "az": (AzureStore, "AZURE"),
}

# obstore ignores the environment variables of these settings if it is called with client options,
# as here. So this module reads them.
_CLIENT_OPTIONS = (
    "allow_http",
    "allow_invalid_certificates",
    "proxy_url",
    "proxy_ca_certificate",
    "proxy_excludes",
    "connect_timeout",
    "timeout",
)
_CONNECT_TIMEOUT = "2s"
# A document is small, so an available store responds within this time.
_DOCUMENT_TIMEOUT, _DOCUMENT_RETRIES, _DOCUMENT_RETRY_SECONDS = "4s", 3, 4.0
# A slow connection may need this long for a part of 5 MiB.
_BLOB_TIMEOUT, _BLOB_RETRIES, _BLOB_RETRY_SECONDS = "30s", 5, 30.0
_BACKOFF: BackoffConfig = {
    "init_backoff": timedelta(milliseconds=50),
    "max_backoff": timedelta(seconds=2),
    "base": 2,
}


async def open_shared(url: str, *, presigned: bool = False, create: bool = True) -> SharedStorage:
    """Return the store at a URL such as `s3://bucket/prefix`; its settings are in the environment.

    Args:
        url: the URL.
        presigned: whether downloads of large files are redirected to the object store.
        create: whether a server may start with an empty prefix; otherwise it is an error.

    Raises:
        StorageError: the store cannot be used, several servers cannot share it, or a later version
            of the server wrote it.
    """
    display_url = _without_login(url)
    try:
        documents = _connect(url, _DOCUMENT_TIMEOUT, _DOCUMENT_RETRIES, _DOCUMENT_RETRY_SECONDS)
        blobs = _connect(url, _BLOB_TIMEOUT, _BLOB_RETRIES, _BLOB_RETRY_SECONDS)
        if not create:
            await _require_used(documents, display_url)
        bare_tags = await _check_conditional_writes(documents, display_url)
        await _check_format(documents, display_url)
        await obstore.put_async(documents, READY, b"")
    except (PermissionDeniedError, UnauthenticatedError) as error:
        prefix = _KINDS[urlsplit(url).scheme][1]
        raise StorageError(
            f"{display_url}: permission denied for the credentials in the variables {prefix}_..."
        ) from error
    except FileNotFoundError as error:
        raise StorageError(
            f"{display_url}: bucket or container not found; create it first"
        ) from error
    except (BaseError, OSError, ValueError) as error:
        prefix = _KINDS[urlsplit(url).scheme][1]
        raise StorageError(
            f"{display_url} cannot be used with the settings in the variables {prefix}_...: "
            f"{_first_line(error)}"
        ) from error
    return SharedStorage(documents=documents, blobs=blobs, bare_tags=bare_tags, presigned=presigned)


def _connect(url: str, timeout: str, retries: int, retry_seconds: float) -> RemoteStore:
    kind, prefix = _KINDS[urlsplit(url).scheme]
    options: ClientConfig = {"connect_timeout": _CONNECT_TIMEOUT, "timeout": timeout}
    for name in _CLIENT_OPTIONS:
        value = os.environ.get(f"{prefix}_{name.upper()}")
        if value:
            options[name] = value  # type: ignore[literal-required]  # a key of ClientConfig
    retry: RetryConfig = {
        "max_retries": retries,
        "retry_timeout": timedelta(seconds=retry_seconds),
        "backoff": _BACKOFF,
    }
    return kind.from_url(url, client_options=options, retry_config=retry)


async def _require_used(store: RemoteStore, display_url: str) -> None:
    """Check that a server has used the store, without writing to it."""
    try:
        await obstore.head_async(store, READY)
    except FileNotFoundError:
        raise no_store(display_url) from None


async def _check_conditional_writes(store: RemoteStore, display_url: str) -> bool:
    """Return whether the store compares entity tags without quotes, as some Ceph releases do.

    Some stores accept a condition and ignore it. Two servers would then overwrite each other's
    changes.

    Raises:
        StorageError: the store does not support conditional writes.
    """
    key = f"checks/{secrets.token_hex(8)}"
    try:
        with contextlib.suppress(AlreadyExistsError):
            first = await obstore.put_async(store, key, b"1", mode="create")
            await obstore.put_async(store, key, b"2", mode="create")
            raise _not_shareable(display_url, "it overwrites objects that already exist")
        for bare_tags in (False, True):
            condition = if_unchanged(first, bare_tags=bare_tags)
            try:
                await obstore.put_async(store, key, b"3", mode=condition)
            except PreconditionError:
                continue
            with contextlib.suppress(PreconditionError):
                await obstore.put_async(store, key, b"4", mode=condition)
                raise _not_shareable(display_url, "it overwrites objects that changed meanwhile")
            return bare_tags
        raise _not_shareable(display_url, "it rejects every conditional update")
    except (NotImplementedError, NotSupportedError) as error:
        raise _not_shareable(display_url, "it does not support conditional updates") from error
    finally:
        with contextlib.suppress(BaseError, OSError):
            await obstore.delete_async(store, key)


async def _check_format(store: RemoteStore, display_url: str) -> None:
    with contextlib.suppress(AlreadyExistsError, PreconditionError):
        await obstore.put_async(store, FORMAT_KEY, CURRENT_FORMAT, mode="create")
        return
    stored = await obstore.get_async(store, FORMAT_KEY)
    check_format(bytes(await stored.bytes_async()), display_url)


def _not_shareable(display_url: str, reason: str) -> StorageError:
    return StorageError(
        f"several servers cannot share {display_url}: {reason}. "
        "Use a store with conditional writes, or a folder for one server"
    )


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
