"""The factories: the values of the fixtures that create any number of objects.

`PackageFactory` is in `package.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Unpack

    from pytest_cloudrepo._options import Options
    from pytest_cloudrepo._paths import StrPath
    from pytest_cloudrepo._programs.environment import Environment
    from pytest_cloudrepo._shared_repositories import SharedRepositoryFactory
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.project import Project
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.settings import RepositorySettings
    from pytest_cloudrepo.venv import VirtualEnv


@dataclass(frozen=True, slots=True)
class SessionFactories:
    """The factories of the whole pytest session; the value of the fixture `cloudrepo_session`."""

    repository: RepositoryFactory
    """Creates repositories, as `cloudrepo_factory` does."""
    project: ProjectFactory
    """Creates source trees, as `cloudrepo_project` does."""
    package: PackageFactory
    """Writes wheels and sdists, as `cloudrepo_package` does."""
    venv: VirtualEnvFactory
    """Creates virtual environments, as `cloudrepo_venv_factory` does."""
    shared_repository: SharedRepositoryFactory
    """Creates repositories that are filled once, for all pytest-xdist workers of the session."""


class RepositoryFactory:
    """Creates repositories; the value of the fixture `cloudrepo_factory`."""

    def __init__(
        self,
        server: Server,
        environment: Environment,
        *,
        creator: Callable[[], str],
        add: Callable[[Repository], None],
        overwrite_protection: bool,
    ) -> None:
        """Prepare the factory.

        Args:
            server: the server on which it creates repositories.
            environment: the environment of the repositories' subprocesses.
            creator: returns the name of the test or the fixture that creates a repository; the
                repository's name begins with it.
            add: records a new repository.
            overwrite_protection: the default for this setting.
        """
        self._server = server
        self._environment = environment
        self._creator = creator
        self._add = add
        self._overwrite_protection = overwrite_protection

    def __call__(self, **settings: Unpack[RepositorySettings]) -> Repository:
        """Create an empty repository with a user of its own, and return it.

        Args:
            settings: the repository's settings.

        Raises:
            TypeError: a setting is unknown, or has the wrong type.
            ServerError: the server rejected a setting's value.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo.client import unique_name  # imports requests

        settings.setdefault("overwrite_protection", self._overwrite_protection)
        repository = self._server.create_repository(
            unique_name(self._creator()), environment=self._environment, **settings
        )
        self._add(repository)
        return repository


class ProjectFactory:
    """Creates source trees; the value of the fixture `cloudrepo_project`."""

    def __init__(self, folder: Path, environment: Environment, *, command_timeout: float) -> None:
        """Prepare the factory.

        Args:
            folder: the folder for the source trees.
            environment: the environment of the builds.
            command_timeout: the seconds after which a build is stopped.
        """
        self._folder = folder
        self._environment = environment
        self._command_timeout = command_timeout
        self._numbers = count()

    def __call__(
        self,
        name: str,
        version: str,
        *,
        files: Mapping[str, str | bytes] | None = None,
        requires: Sequence[str] = (),
        setup_py: bool = False,
    ) -> Project:
        """Write the source tree of a project, and return the project.

        Args:
            name: the project's name, normalized or not.
            version: the project's version.
            files: additional files, or replacements, by relative path. If none of them is a module
                or package with the project's name, a module with `__version__` is added.
            requires: the project's dependencies.
            setup_py: whether setuptools builds the project, from a `setup.py`. By default the
                project contains a build backend of its own.

        Raises:
            PackageError: the name, the version, a dependency or a path is invalid.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo.project import Project  # not every test builds a project

        return Project(
            self._folder / f"project-{next(self._numbers)}",
            name,
            version,
            files=files,
            requires=requires,
            setup_py=setup_py,
            environ=self._environment.scrubbed,
            timeout=self._command_timeout,
        )


class VirtualEnvFactory:
    """Creates virtual environments; the value of the fixture `cloudrepo_venv_factory`."""

    def __init__(
        self,
        folder: Path,
        environment: Environment,
        *,
        app_data: Path,
        cache: Path | None,
        command_timeout: float,
    ) -> None:
        """Prepare the factory.

        Args:
            folder: the folder for the virtual environments.
            environment: the environment variables of their programs.
            app_data: the folder for the templates that all virtual environments are copied from.
            cache: the folder that keeps templates for later sessions, or None to keep none.
            command_timeout: the seconds after which a program of an environment is stopped.
        """
        self._folder = folder
        self._environment = environment
        self._app_data = app_data
        self._cache = cache
        self._command_timeout = command_timeout
        self._numbers = count()

    def __call__(self, *, python: StrPath | None = None, pip: bool = True) -> VirtualEnv:
        """Create a virtual environment, and return it.

        Args:
            python: a version such as `3.12`, or the path of an interpreter. By default the Python
                that runs the tests.
            pip: whether to install pip into the environment.

        Raises:
            CloudRepoError: no such Python is installed.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo.venv import VirtualEnv  # not every test creates one

        return VirtualEnv(
            self._folder / f"venv-{next(self._numbers)}",
            python=python,
            pip=pip,
            environment=self._environment,
            app_data=self._app_data,
            cache=self._cache,
            timeout=self._command_timeout,
        )


def session_factories(
    server: Server,
    options: Options,
    folder: Path,
    *,
    app_data: Path,
    creator: Callable[[], str],
) -> SessionFactories:
    """Return the factories of a pytest session, or of one of its pytest-xdist workers.

    Args:
        server: the server on which repositories are created.
        options: the options of the session.
        folder: the folder for the files of this worker.
        app_data: the folder for the templates of environments, which all workers share.
        creator: returns the name of the fixture or the test that creates a repository.
    """
    from pytest_cloudrepo._programs.environment import Environment
    from pytest_cloudrepo._shared_repositories import SharedRepositoryFactory
    from pytest_cloudrepo.package import PackageFactory

    environment = Environment(folder / "environment")
    timeout = options.command_timeout
    protection = options.overwrite_protection
    return SessionFactories(
        repository=RepositoryFactory(
            server,
            environment,
            creator=creator,
            add=lambda _: None,  # the server reports each repository that it creates
            overwrite_protection=protection,
        ),
        project=ProjectFactory(folder, environment, command_timeout=timeout),
        package=PackageFactory(folder / "packages"),
        venv=VirtualEnvFactory(
            folder,
            environment,
            app_data=app_data,
            cache=options.template_cache(),
            command_timeout=timeout,
        ),
        shared_repository=SharedRepositoryFactory(
            server,
            environment,
            app_data.with_name("cloudrepo-shared"),
            overwrite_protection=protection,
        ),
    )
