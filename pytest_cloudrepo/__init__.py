"""A pytest plugin that gives each test its own empty, private package index.

Use the names below for annotations in tests. The objects come from the fixtures.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_cloudrepo._programs.result import CommandError, CommandResult, CommandTimeout
    from pytest_cloudrepo._programs.secret import Secret
    from pytest_cloudrepo.checking import Finding, check
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.credentials import RepositoryUser, Token, TokenAsUsername
    from pytest_cloudrepo.errors import (
        CloudRepoError,
        PackageError,
        ScenarioError,
        ServerError,
        UncheckedRulesWarning,
    )
    from pytest_cloudrepo.factories import (
        ProjectFactory,
        RepositoryFactory,
        SessionFactories,
        VirtualEnvFactory,
    )
    from pytest_cloudrepo.fault import Fault
    from pytest_cloudrepo.graph import DistributionDetails, Graph, ReleaseDetails
    from pytest_cloudrepo.https import ClientCertificate
    from pytest_cloudrepo.journal import Journal, Request
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.project import Project
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.scenario import Scenario
    from pytest_cloudrepo.snapshot import Snapshot
    from pytest_cloudrepo.trust import TrustedPublisher
    from pytest_cloudrepo.venv import VirtualEnv

__all__ = [
    "ClientCertificate",
    "CloudRepoError",
    "CommandError",
    "CommandResult",
    "CommandTimeout",
    "DistributionDetails",
    "Fault",
    "Finding",
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
    "Secret",
    "Server",
    "ServerError",
    "SessionFactories",
    "Snapshot",
    "Token",
    "TokenAsUsername",
    "TrustedPublisher",
    "UncheckedRulesWarning",
    "VirtualEnv",
    "VirtualEnvFactory",
    "check",
]

_MODULES = {
    "ClientCertificate": "https",
    "CloudRepoError": "errors",
    "CommandError": "_programs.result",
    "CommandResult": "_programs.result",
    "CommandTimeout": "_programs.result",
    "DistributionDetails": "graph",
    "Fault": "fault",
    "Finding": "checking",
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
    "Secret": "_programs.secret",
    "Server": "client",
    "ServerError": "errors",
    "SessionFactories": "factories",
    "Snapshot": "snapshot",
    "Token": "credentials",
    "TokenAsUsername": "credentials",
    "TrustedPublisher": "trust",
    "UncheckedRulesWarning": "errors",
    "VirtualEnv": "venv",
    "VirtualEnvFactory": "factories",
    "check": "checking",
}


def __getattr__(name: str) -> object:
    # Modules are imported at the first use of a name. pytest imports this package in every project
    # in which the plugin is installed, and the import of requests alone takes a tenth of a second.
    try:
        module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(module, name)
