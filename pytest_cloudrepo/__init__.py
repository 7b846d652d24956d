"""A pytest plugin that gives a test a private Python index of its own.

The names below are for annotations in tests; the objects come from the fixtures.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_cloudrepo._programs.result import CommandError, CommandResult, CommandTimeout
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.credentials import RepositoryUser, Token
    from pytest_cloudrepo.errors import (
        CloudRepoError,
        PackageError,
        ScenarioError,
        ServerError,
    )
    from pytest_cloudrepo.factories import ProjectFactory, RepositoryFactory, VirtualEnvFactory
    from pytest_cloudrepo.fault import Fault
    from pytest_cloudrepo.graph import Graph, ReleaseDetails
    from pytest_cloudrepo.journal import Journal, Request
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.project import Project
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.scenario import Scenario
    from pytest_cloudrepo.venv import VirtualEnv

__all__ = [
    "CloudRepoError",
    "CommandError",
    "CommandResult",
    "CommandTimeout",
    "Fault",
    "Graph",
    "Journal",
    "PackageError",
    "PackageFactory",
    "Project",
    "ProjectFactory",
    "ReleaseDetails",
    "Repository",
    "RepositoryFactory",
    "RepositoryUser",
    "Request",
    "Scenario",
    "ScenarioError",
    "Server",
    "ServerError",
    "Token",
    "VirtualEnv",
    "VirtualEnvFactory",
]

_MODULES = {
    "CloudRepoError": "errors",
    "CommandError": "_programs.result",
    "CommandResult": "_programs.result",
    "CommandTimeout": "_programs.result",
    "Fault": "fault",
    "Graph": "graph",
    "Journal": "journal",
    "PackageError": "errors",
    "PackageFactory": "package",
    "Project": "project",
    "ProjectFactory": "factories",
    "ReleaseDetails": "graph",
    "Repository": "repository",
    "RepositoryFactory": "factories",
    "RepositoryUser": "credentials",
    "Request": "journal",
    "Scenario": "scenario",
    "ScenarioError": "errors",
    "Server": "client",
    "ServerError": "errors",
    "Token": "credentials",
    "VirtualEnv": "venv",
    "VirtualEnvFactory": "factories",
}


def __getattr__(name: str) -> object:
    # Imported when asked for: pytest imports this package at every start, in every project that
    # has the plugin, and requests alone would cost each of them a tenth of a second.
    try:
        module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(module, name)
