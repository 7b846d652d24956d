"""The organization: its repositories, users, tokens, sessions, upstreams and publishers."""

import contextlib
import re
import secrets
from collections.abc import Mapping, Sequence

import msgspec
from cachetools import LRUCache

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.access import Access
from cloudrepo_server.domain.activity import Activity
from cloudrepo_server.domain.audit import AuditList
from cloudrepo_server.domain.catalogue import Catalogue
from cloudrepo_server.domain.core_metadata_cache import CoreMetadataCache
from cloudrepo_server.domain.damaged_documents import DamagedDocuments
from cloudrepo_server.domain.file_url_key import FileUrlKey
from cloudrepo_server.domain.identity_issuer import IdentityIssuer
from cloudrepo_server.domain.page_settings import check_page_settings
from cloudrepo_server.domain.readme_process import ReadmeProcess
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.rule_settings import check_rule_settings
from cloudrepo_server.domain.sessions import Sessions
from cloudrepo_server.domain.sign_in_links import SignInLinks
from cloudrepo_server.domain.text_differences import TextDifferences
from cloudrepo_server.domain.token_minting import TokenMint
from cloudrepo_server.domain.tokens import Tokens
from cloudrepo_server.domain.trusted_publishers import TrustedPublishers
from cloudrepo_server.domain.upstream import Upstreams
from cloudrepo_server.domain.users import Users
from cloudrepo_server.domain.visibility import check_access_settings
from cloudrepo_server.errors import (
    ConflictError,
    DamagedDocumentError,
    InvalidError,
    RepositoryNotFoundError,
    StorageError,
)
from cloudrepo_server.keys import REPOSITORIES, USERS, repository_key
from cloudrepo_server.limits import MAX_MINTED_SECONDS, Limits
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.specs.dialects import get_dialect
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Storage
from cloudrepo_server.storage.background import BackgroundTasks
from cloudrepo_server.testkit.registry import TestkitRegistry

_MAX_RECENT = 1024

# The rule that CloudRepo's own client checks.
_REPOSITORY_NAME = re.compile(r"[a-z0-9_-]{1,32}", re.ASCII)

Setting = bool | str | float | tuple[str, ...] | None


class Organization:
    """The tenant that this server serves."""

    def __init__(
        self,
        name: str,
        storage: Storage,
        *,
        admin_username: str,
        admin_password: str,
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self.limits = limits or Limits()
        self.users = Users(storage)
        self.tokens = Tokens(storage)
        self.access = Access(
            self.users, self.tokens, admin_username=admin_username, admin_password=admin_password
        )
        self.sessions = Sessions(storage)
        self.sign_in_links = SignInLinks(shared=storage.shared)
        self.damaged = DamagedDocuments(storage)
        self.file_url_key = FileUrlKey(storage)
        self.issuer = IdentityIssuer(storage, self.access.admin_digest)
        self.publishers = TrustedPublishers(storage)
        self.mint = TokenMint(storage, self.tokens, self.issuer, self.publishers)
        self.upstreams = Upstreams(self.find)
        self.readmes = ReadmeProcess()
        self.text_differences = TextDifferences()
        self.testkit = TestkitRegistry(shared=storage.shared)
        self._storage = storage
        self._core_metadata = CoreMetadataCache(storage)
        self._recent: LRUCache[str, RepositoryDocument] = LRUCache(_MAX_RECENT)
        self._tasks = BackgroundTasks()
        self.catalogue = Catalogue(storage, self._tasks)
        self.activity = Activity(storage, self._tasks)
        self.audit = AuditList(storage, self._tasks)

    @property
    def shared(self) -> bool:
        """Whether other servers use the same store."""
        return self._storage.shared

    @property
    def documents_revision(self) -> int | None:
        """A number that changes with every change of a document; None for a shared store."""
        return self._storage.revision

    def require_fresh(self) -> None:
        """Require that the current task reads nothing older than this moment."""
        self._storage.require_fresh()

    def prefetch(
        self,
        repository: str,
        *,
        projects: Sequence[str],
        serials: bool,
        username: str | None,
        password: str | None,
    ) -> None:
        """Start reading the documents that a request will need from a shared store, all at once.

        The keys of projects contain the id of their repository. The id of the most recent
        repository with this name is used; if it is outdated, the projects are read again later.
        """
        if is_repository_name(repository):
            self._storage.prefetch((repository_key(repository), RepositoryDocument))
        self.access.prefetch(username=username, password=password)
        recent = self._recent.get(repository)
        if recent is not None:
            self._open(recent).prefetch(*projects, serials=serials)

    async def find(self, name: str) -> Repository | None:
        """Return the repository with this name, or None."""
        if not is_repository_name(name):
            return None
        document = await self._storage.read(repository_key(name), RepositoryDocument)
        if document is None:
            return None
        if self.shared:
            self._recent[name] = document
        return self._open(document)

    async def repository(self, name: str) -> Repository:
        """Return the repository with this name.

        Raises:
            NotFoundError: there is no such repository.
        """
        repository = await self.find(name)
        if repository is None:
            raise RepositoryNotFoundError(name)
        return repository

    async def repositories(self) -> list[Repository]:
        """Return every repository, sorted by name."""
        documents = await self._storage.read_all(REPOSITORIES, RepositoryDocument)
        documents = sorted(documents, key=lambda document: document.name)
        return [self._open(document) for document in documents]

    async def create_repository(
        self, name: str, *, run: str | None = None, **settings: Setting
    ) -> Repository:
        """Create an empty repository, and return it.

        Args:
            name: the name in its URL.
            run: the pytest session that creates the repository, if one does.
            settings: the fields of `RepositorySettings` that differ from their defaults.

        Raises:
            InvalidError: the name or a setting is not valid.
            ConflictError: the repository already exists.
        """
        _check_repository_name(name)
        document = msgspec.structs.replace(
            RepositoryDocument(id=secrets.token_hex(8), name=name, run=run, created=now()),
            **settings,
        )
        await self._check_settings(document)

        def create(existing: RepositoryDocument | None) -> RepositoryDocument:
            if existing is not None:
                raise _repository_exists(name)
            return document

        await self._storage.change(repository_key(name), RepositoryDocument, create)
        note_change("create-repository", repository=name, subject=name, detail=_in_words(settings))
        return await self.repository(name)

    async def check_new_name(self, name: str) -> None:
        """Check that a new repository can have this name.

        Raises:
            InvalidError: the name is not valid.
            ConflictError: the repository already exists.
        """
        _check_repository_name(name)
        if await self.find(name) is not None:
            raise _repository_exists(name)

    async def update_repository(self, name: str, **settings: Setting) -> Repository:
        """Change settings of a repository, from the next request on. Return the changed repository.

        Args:
            name: the repository.
            settings: the fields of `RepositorySettings` that change.

        Raises:
            InvalidError: a setting is not valid.
            NotFoundError: there is no such repository.
        """
        before = await self.repository(name)
        await self._check_settings(msgspec.structs.replace(before.document, **settings))

        def update(existing: RepositoryDocument | None) -> RepositoryDocument:
            if existing is None:
                raise RepositoryNotFoundError(name)
            return msgspec.structs.replace(existing, **settings)

        await self._storage.change(repository_key(name), RepositoryDocument, update)
        changed = {
            setting: value
            for setting, value in settings.items()
            if value != getattr(before.document, setting)
        }
        note_change("change-settings", repository=name, subject=name, detail=_in_words(changed))
        return await self.repository(name)

    async def delete_repository(self, name: str, *, run: str | None = None) -> None:
        """Delete a repository and everything in it.

        With `run`, delete the repository only if that pytest session created it.

        Raises:
            NotFoundError: there is no such repository.
        """
        try:
            deleted = (await self.repository(name)).document
        except DamagedDocumentError:
            # Its id is unknown, so garbage collection deletes its projects, blobs and tokens.
            if run is not None or not await self._storage.delete_damaged(
                repository_key(name), RepositoryDocument
            ):
                raise
            return
        # Listed first: if this fails, the repository still exists, so the client can try again.
        tokens = await self.tokens.all()

        def delete(existing: RepositoryDocument | None) -> None:
            # Another server may have deleted the repository and created another of the same name.
            nonlocal deleted
            if existing is None or run not in (None, existing.run):
                raise RepositoryNotFoundError(name)
            deleted = existing

        await self._storage.change(repository_key(name), RepositoryDocument, delete)
        note_change("delete-repository", repository=name, subject=name)
        self.testkit.forget(deleted.id)
        self.catalogue.forget(deleted.id)
        self.activity.forget(deleted.id)
        for token in tokens:
            if token.repository_id == deleted.id:
                # Without its repository a token is useless, and garbage collection deletes it.
                with contextlib.suppress(StorageError):
                    await self.tokens.revoke(token)
        # No request can reach the projects and blobs any more, so no request waits for this.
        self._tasks.start(self._storage.delete_repository_objects(deleted.id))

    async def document_ages(self) -> dict[str, float]:
        """Return the seconds since each repository and user was last written, by key."""
        return {
            **await self._storage.ages(REPOSITORIES),
            **await self._storage.ages(USERS),
        }

    async def keep_history(self) -> None:
        """Keep the changes and the counts of uploads and downloads in the store from now on.

        Requires a store that outlives this server, and that no other server uses.

        Raises:
            StorageError: the store did not respond.
        """
        self.activity.keep()
        await self.audit.keep()

    def start_garbage_collection(self) -> None:
        """Start to delete, in the background, what a killed server left in the store."""
        # Imported here because only a server with a data folder needs it.
        from cloudrepo_server.domain.garbage import collect_garbage_after_start

        self._tasks.start(collect_garbage_after_start(self._storage))

    async def portal_key(self) -> bytes:
        """Return the key that signs the portal's cookies, which depends on the admin login.

        Raises:
            StorageError: the store did not respond.
        """
        return await self.sessions.key(self.access.admin_digest)

    async def check(self) -> None:
        """Check that the store is available.

        Raises:
            StorageError: the store is not available.
        """
        await self._storage.check()

    async def close(self) -> None:
        """Cancel background work and close the store."""
        await self._tasks.close()
        # A server must be able to stop even if the store does not respond.
        with contextlib.suppress(StorageError):
            await self.activity.close()
        with contextlib.suppress(StorageError):
            await self.audit.close()
        await self.tokens.uses.close()
        await self.readmes.close()
        await self.text_differences.close()
        await self._storage.close()

    def _open(self, document: RepositoryDocument) -> Repository:
        return Repository(
            self._storage,
            document,
            self.limits,
            self.readmes,
            self._core_metadata,
            self.activity,
        )

    async def _check_settings(self, document: RepositoryDocument) -> None:
        get_dialect(document.dialect)
        check_rule_settings(document)
        await self.upstreams.check(document)
        check_page_settings(document)
        check_access_settings(document)
        if not 0 <= document.minted_token_seconds <= MAX_MINTED_SECONDS:
            raise InvalidError(
                f"minted_token_seconds must be a number from 0 to {MAX_MINTED_SECONDS:g}."
            )
        if document.disabled_identity_providers:
            # Imported here because few repositories have this setting.
            from cloudrepo_server.specs.identity_providers.table import get_provider

            for provider in document.disabled_identity_providers:
                get_provider(provider)


def _in_words(settings: Mapping[str, Setting]) -> str:
    return ", ".join(
        f"{name}: {', '.join(value) if isinstance(value, tuple) else value}"
        for name, value in settings.items()
    )


def is_repository_name(name: str) -> bool:
    """Return whether a repository can have this name."""
    return _REPOSITORY_NAME.fullmatch(name) is not None


def _check_repository_name(name: str) -> None:
    """Check the name of a repository.

    Raises:
        InvalidError: no repository can have this name.
    """
    if not is_repository_name(name):
        raise InvalidError(
            f"{name[:64]!r} is not a valid repository name: "
            "use 1 to 32 of the characters a-z, 0-9, - and _."
        )


def _repository_exists(name: str) -> ConflictError:
    return ConflictError(f"The repository {name} already exists.")
