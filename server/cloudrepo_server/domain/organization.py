"""Which repositories there are, and who may do what."""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Coroutine, Sequence
from urllib.parse import unquote, urlsplit

import msgspec
from cachetools import LRUCache

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.sessions import Sessions
from cloudrepo_server.domain.upstream import Upstreams
from cloudrepo_server.domain.users import Tokens, Users
from cloudrepo_server.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    StorageError,
    UnauthenticatedError,
)
from cloudrepo_server.keys import REPOSITORIES, USERS, repository_key
from cloudrepo_server.limits import Limits
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.specs.dialect import get_dialect
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Storage
from cloudrepo_server.testkit.faults import FaultSpecification, InstalledFault, StalePage
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.testkit.registry import TestkitRegistry

_KNOWN = 1024

log = logging.getLogger("cloudrepo_server")

# As CloudRepo's own client checks it.
_REPOSITORY_NAME = re.compile(r"[a-z0-9_-]{1,32}", re.ASCII)


class AdminUser(msgspec.Struct, frozen=True):
    """May use the portal and its API; its login is of no use in a repository."""

    name: str


class RepositoryUser(msgspec.Struct, frozen=True):
    """Reaches every repository of the organization."""

    name: str
    read_only: bool


class TokenBearer(msgspec.Struct, frozen=True):
    """Reaches one repository."""

    name: str
    repository_id: str
    read_only: bool


Setting = bool | str | int | tuple[str, ...] | None
Principal = AdminUser | RepositoryUser | TokenBearer


def repository_not_found(name: str) -> NotFoundError:
    """The refusal of a repository that is not there; CloudRepo's own client looks for its words."""
    return NotFoundError(f"The repository could not be found: {name[:64]}")


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
        self.sessions = Sessions(storage)
        self.upstreams = Upstreams(self.find)
        self._storage = storage
        self._admin_login = _digest(admin_username, admin_password)
        self.testkit = TestkitRegistry(shared=storage.shared)
        self._known: LRUCache[str, RepositoryDocument] = LRUCache(_KNOWN)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def shared(self) -> bool:
        """Whether other servers have the same store."""
        return self._storage.shared

    def require_fresh(self) -> None:
        """Let what this request sees be no older than this moment."""
        self._storage.require_fresh()

    def prefetch(
        self,
        repository: str,
        *,
        projects: Sequence[str],
        username: str | None,
        password: str | None,
    ) -> None:
        """Say what a request will need, so that a shared store is asked for all of it at once.

        Which projects it is in the store depends on the repository that now has the name; where it
        is another than a moment ago, they are asked for once more.
        """
        if _REPOSITORY_NAME.fullmatch(repository) is not None:
            self._storage.prefetch((repository_key(repository), RepositoryDocument))
        if username is not None:
            self.users.prefetch(username)
        if password is not None:
            self.tokens.prefetch(password)
        known = self._known.get(repository)
        if known is not None:
            Repository(self._storage, known, self.limits).prefetch(*projects)

    async def identify(self, username: str, password: str) -> Principal:
        """Whose login this is.

        Raises:
            UnauthenticatedError: nobody's.
        """
        if self._is_admin(username, password):
            return AdminUser(username)
        user = await self.users.verify(username, password)
        if user is not None:
            return RepositoryUser(user.email, user.read_only)
        if password.startswith("cloudrepo."):
            return await self.identify_token(password)
        raise UnauthenticatedError(
            "The user name or passphrase is wrong." + self._percent_hint(username)
        )

    async def identify_token(self, token: str) -> TokenBearer:
        """Which repository's token this is.

        Raises:
            UnauthenticatedError: none's.
        """
        known = await self.tokens.verify(token)
        if known is None:
            raise UnauthenticatedError("The token is wrong or was revoked.")
        return TokenBearer(f"token {known.id}", known.repository_id, known.read_only)

    def require_repository_user(self, principal: Principal | None) -> RepositoryUser | TokenBearer:
        """The one who asks, where it is somebody who may use repositories at all.

        Raises:
            UnauthenticatedError: it is nobody, or the admin user.
        """
        if principal is None:
            raise UnauthenticatedError("A repository user's e-mail and passphrase are needed.")
        if isinstance(principal, AdminUser):
            raise UnauthenticatedError(
                "The admin user cannot use repositories: log in as a repository user."
            )
        return principal

    def require_right(
        self, principal: RepositoryUser | TokenBearer, repository: Repository, *, write: bool
    ) -> None:
        """Let the request pass.

        Raises:
            ForbiddenError: this user or token may not do that here.
        """
        if isinstance(principal, TokenBearer) and principal.repository_id != repository.document.id:
            raise ForbiddenError(f"The token is not for the repository {repository.name}.")
        if write and principal.read_only:
            raise ForbiddenError(f"{principal.name} is read only and may not publish.")

    def require_member(self, principal: Principal | None) -> AdminUser | RepositoryUser:
        """The admin user or a repository user, each of whom may know of every repository.

        Raises:
            UnauthenticatedError: it is nobody.
            ForbiddenError: it is the bearer of a token, which is for one repository.
        """
        if principal is None:
            raise UnauthenticatedError("The login of a repository user or the admin is needed.")
        if isinstance(principal, TokenBearer):
            raise ForbiddenError("A token is for one repository, and this is about all.")
        return principal

    def require_admin(self, principal: Principal | None) -> AdminUser:
        """The admin user.

        Raises:
            UnauthenticatedError: it is nobody.
            ForbiddenError: it is a repository user.
        """
        if principal is None:
            raise UnauthenticatedError("The admin user's login is needed.")
        if not isinstance(principal, AdminUser):
            raise ForbiddenError(f"{principal.name} is not the admin user.")
        return principal

    async def find(self, name: str) -> Repository | None:
        """The repository of that name, or None."""
        if _REPOSITORY_NAME.fullmatch(name) is None:
            return None
        document = await self._storage.read(repository_key(name), RepositoryDocument)
        if document is None:
            return None
        if self.shared:
            self._known[name] = document
        return Repository(self._storage, document, self.limits)

    async def repository(self, name: str) -> Repository:
        """The repository of that name.

        Raises:
            NotFoundError: there is none.
        """
        repository = await self.find(name)
        if repository is None:
            raise repository_not_found(name)
        return repository

    async def repositories(self) -> list[Repository]:
        """Every repository, by name."""
        found = await self._storage.read_all(REPOSITORIES, RepositoryDocument)
        documents = sorted(found, key=lambda one: one.name)
        return [Repository(self._storage, document, self.limits) for document in documents]

    async def create_repository(self, name: str, **settings: Setting) -> Repository:
        """A new, empty repository.

        Raises:
            InvalidError: the name or a setting cannot be used.
            ConflictError: the name is taken.
        """
        if _REPOSITORY_NAME.fullmatch(name) is None:
            raise InvalidError(
                f"{name[:64]!r} is not a repository name: use 1 to 32 of a-z, 0-9, - and _."
            )
        document = msgspec.structs.replace(
            RepositoryDocument(id=secrets.token_hex(8), name=name, created=now()), **settings
        )
        await self._check_settings(document)

        def add(existing: RepositoryDocument | None) -> RepositoryDocument:
            if existing is not None:
                raise ConflictError(f"There is a repository {name} already.")
            return document

        await self._storage.change(repository_key(name), RepositoryDocument, add)
        return await self.repository(name)

    async def update_repository(self, name: str, **settings: Setting) -> Repository:
        """Change settings, from the next request on.

        Raises:
            InvalidError: a setting cannot be used.
            NotFoundError: there is no such repository.
        """
        before = await self.repository(name)
        await self._check_settings(msgspec.structs.replace(before.document, **settings))

        def change(existing: RepositoryDocument | None) -> RepositoryDocument:
            if existing is None:
                raise repository_not_found(name)
            return msgspec.structs.replace(existing, **settings)

        await self._storage.change(repository_key(name), RepositoryDocument, change)
        return await self.repository(name)

    async def delete_repository(self, name: str, *, run: str | None = None) -> None:
        """Delete a repository and all that is in it; where a run is named, only one of that run.

        Raises:
            NotFoundError: there is no such repository.
        """
        removed = (await self.repository(name)).document

        def remove(existing: RepositoryDocument | None) -> None:
            # Another server may have made another of that name meanwhile.
            nonlocal removed
            if existing is None or run not in (None, existing.run):
                raise repository_not_found(name)
            removed = existing

        await self._storage.change(repository_key(name), RepositoryDocument, remove)
        self.testkit.forget(removed.id)
        for token in await self.tokens.all():
            if token.repository_id == removed.id:
                with contextlib.suppress(NotFoundError):
                    await self.tokens.delete(token.id)
        # Nothing can reach what was in it any more, so nobody need wait for its removal.
        self._in_the_background(self._storage.delete_repository_objects(removed.id))

    async def ages(self) -> dict[str, float]:
        """How many seconds ago each repository and user was last written, by their keys."""
        return {
            **await self._storage.ages(REPOSITORIES),
            **await self._storage.ages(USERS),
        }

    def sweep(self) -> None:
        """Begin to remove what nothing refers to, left by a process that was killed."""
        self._in_the_background(self._sweep())

    async def note_refusal(self, repository: str, method: str, url: str) -> Entry:
        """Note in a repository's journal that a test's program was kept from another host."""
        host = urlsplit(url if "://" in url else f"//{url}").hostname
        entry = Entry(method, url, "", status=403)
        entry.reason = f"{host} may not be reached from this test"
        found = await self.find(repository)
        if found is not None:
            self.testkit.note(found.document.id, entry)
        return entry

    async def install_fault(
        self, repository: Repository, specification: FaultSpecification
    ) -> InstalledFault:
        """Let a fault strike from now on.

        Raises:
            ExclusiveStorageRequiredError: this server shares its store.
        """
        faults = self.testkit.faults(repository.document.id)
        fault = InstalledFault(specification)
        if isinstance(specification, StalePage):
            for name in await repository.project_names():
                project = await repository.project(name)
                if project is not None:
                    fault.snapshot[name] = project
        faults.add(fault)
        return fault

    async def check(self) -> None:
        """See whether the store serves.

        Raises:
            StorageError: it does not.
        """
        await self._storage.check()

    async def close(self) -> None:
        """Finish what was begun and let the storage go."""
        for task in self._tasks:
            task.cancel()
        await self._storage.close()

    async def _sweep(self) -> None:
        # Imported when the server answers, since a folder that was given may hold nothing.
        from cloudrepo_server.domain.garbage import sweep

        try:
            swept = await sweep(self._storage)
        except StorageError as error:
            log.warning("What nothing refers to was not removed: %s", error)
            return
        if swept.any:
            log.info("Removed what a killed server had left: %s", swept)
        if swept.unread:
            log.warning(
                "What a killed server may have left stays in %s: a document cannot be read",
                ", ".join(swept.unread),
            )

    def _in_the_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _is_admin(self, username: str, password: str) -> bool:
        return hmac.compare_digest(_digest(username, password), self._admin_login)

    @staticmethod
    def _percent_hint(username: str) -> str:
        # twine, uv and pdm send the user name of an upload URL as it stands there.
        decoded = unquote(username)
        if decoded == username or "@" not in decoded:
            return ""
        return " The user name arrived percent-encoded: give it apart from the URL."

    async def _check_settings(self, document: RepositoryDocument) -> None:
        get_dialect(document.dialect)
        if document.max_file_size is not None and document.max_file_size < 0:
            raise InvalidError("max_file_size is a number of bytes, or null for no limit.")
        await self.upstreams.check(document)


def _digest(username: str, password: str) -> bytes:
    return hashlib.sha256(f"{username}\0{password}".encode(errors="surrogateescape")).digest()
