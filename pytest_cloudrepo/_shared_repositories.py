"""Repositories that one pytest-xdist worker fills for all workers of the session."""

from __future__ import annotations

import contextlib
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from pytest_cloudrepo._own_files import write_private
from pytest_cloudrepo.errors import CloudRepoError, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Unpack

    from pytest_cloudrepo._programs.environment import Environment
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.settings import RepositorySettings

_SEED_TIMEOUT: Final = 300.0


class SharedRepositoryFactory:
    """Creates repositories that all pytest-xdist workers of a session share."""

    def __init__(
        self,
        server: Server,
        environment: Environment,
        folder: Path,
        *,
        overwrite_protection: bool,
    ) -> None:
        """Prepare the factory.

        Args:
            server: the server on which it creates repositories.
            environment: the environment of the repositories' subprocesses.
            folder: the folder that all workers of the session share, and no other session.
            overwrite_protection: the default for this setting.
        """
        self._server = server
        self._environment = environment
        self._folder = folder
        self._overwrite_protection = overwrite_protection
        self._opened: dict[str, Repository] = {}

    def __call__(
        self,
        name: str,
        seed: Callable[[Repository], object],
        *,
        timeout: float = _SEED_TIMEOUT,
        **settings: Unpack[RepositorySettings],
    ) -> Repository:
        """Return the repository of this name, which is created and filled once in a session.

        The first worker that calls this function creates the repository and calls `seed`. Other
        workers wait. If `seed` raises an exception, or if the worker crashes, the repository is
        deleted, and the next worker begins again with an empty repository.

        Args:
            name: a name for the repository, the same in all workers. The name of the repository on
                the server begins with it.
            seed: fills the repository, such as by `repository.publish_folder(FOLDER)`.
            timeout: the seconds to wait for the worker that fills the repository.
            settings: the repository's settings.

        Raises:
            CloudRepoError: another worker did not fill the repository in time.
            TypeError: a setting is unknown, or has the wrong type.
            ServerError: the server rejected a setting's value.
        """
        __tracebackhide__ = True
        if name not in self._opened:
            with self._state(name, timeout) as state:
                self._opened[name] = self._open(state, name, seed, settings)
                state.add_worker()
        return self._opened[name]

    def close(self) -> None:
        """Delete the repositories that no other worker uses; ignore errors.

        Call this only if the server outlives the session.
        """
        for name, repository in self._opened.items():
            with contextlib.suppress(CloudRepoError), self._state(name, _SEED_TIMEOUT) as state:
                if state.remove_worker() == 0:
                    state.clear()
                    self._server.delete_repository(repository)

    def _open(
        self,
        state: _State,
        name: str,
        seed: Callable[[Repository], object],
        settings: RepositorySettings,
    ) -> Repository:
        __tracebackhide__ = True
        if state.is_filled:
            return self._server.repository(state.repository, environment=self._environment)
        if state.repository:
            # The worker that began to fill the repository has crashed.
            self._delete(state.repository)
        from pytest_cloudrepo.client import unique_name  # imports requests

        settings.setdefault("overwrite_protection", self._overwrite_protection)
        state.begin(unique_name(name))
        try:
            repository = self._server.create_repository(
                state.repository, environment=self._environment, **settings
            )
            self._server.keep(repository)
            seed(repository)
        except BaseException:
            self._delete(state.repository)
            state.clear()
            raise
        state.finish()
        return repository

    def _delete(self, repository: str) -> None:
        with contextlib.suppress(ServerError):
            self._server.delete_repository(repository)

    @contextlib.contextmanager
    def _state(self, name: str, timeout: float) -> Iterator[_State]:
        __tracebackhide__ = True
        self._folder.mkdir(parents=True, exist_ok=True)
        # A digest, because a name may contain any character.
        stem = sha256(name.encode()).hexdigest()[:16]
        # The system releases the lock of a process that has crashed.
        lock = FileLock(self._folder / f"{stem}.lock")
        try:
            lock.acquire(timeout=timeout)
        except Timeout:
            raise CloudRepoError(
                f"timed out after {timeout:g} s: another pytest-xdist worker still fills the "
                f"repository {name!r}. Pass a longer timeout, or fill the repository with "
                "publish_folder, which is faster"
            ) from None
        try:
            yield _State(self._folder / f"{stem}.json")
        finally:
            lock.release()


class _State:
    """The state of a repository, which all workers share. Only the holder of its lock uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, Any] = {"repository": "", "filled": False, "workers": 0}
        if path.exists():
            self._values |= json.loads(path.read_text(encoding="utf-8"))

    @property
    def repository(self) -> str:
        """The name of the repository, or an empty string."""
        return str(self._values["repository"])

    @property
    def is_filled(self) -> bool:
        """Whether the repository is complete."""
        return bool(self._values["filled"])

    def begin(self, repository: str) -> None:
        """Record that this worker creates and fills a repository."""
        self._write(repository=repository, filled=False, workers=0)

    def finish(self) -> None:
        """Record that the repository is complete."""
        self._write(filled=True)

    def clear(self) -> None:
        """Record that there is no repository."""
        self._write(repository="", filled=False, workers=0)

    def add_worker(self) -> None:
        """Record that one more worker uses the repository."""
        self._write(workers=self._values["workers"] + 1)

    def remove_worker(self) -> int:
        """Record that one worker stopped using the repository; return how many still use it."""
        self._write(workers=self._values["workers"] - 1)
        return int(self._values["workers"])

    def _write(self, **values: object) -> None:
        self._values |= values
        # A worker may crash at any moment, so the file is replaced as a whole.
        new = self._path.with_suffix(".new")
        write_private(new, json.dumps(self._values)).replace(self._path)
