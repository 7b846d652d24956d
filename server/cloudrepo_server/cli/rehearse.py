"""The command `cloudrepo-server rehearse`: run a publishing command against an imitated PyPI."""

import argparse
import logging
import sys
from typing import TYPE_CHECKING

from cloudrepo_server.cli import arguments
from cloudrepo_server.cli.event_loop import run_in_event_loop
from cloudrepo_server.cli.repository_settings import add_dependencies
from cloudrepo_server.cli.terminal import print_error

if TYPE_CHECKING:
    from cloudrepo_server.cli.rehearsal.rehearsal import Options

EXAMPLES = (
    "rehearse -- twine upload dist/*",
    "rehearse --trust github:acme/demo/release.yml@pypi -- uv publish",
    "rehearse --report junit -- uv publish > rehearsal.xml",
)
_INDEXES = ("pypi", "testpypi")
_FORMATS = ("text", "json", "junit")
_UNUSABLE = 2
_INSTALL = 'python -m pip install "pytest-cloudrepo[rehearse]"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rehearse`."""
    # argparse itself would show "COMMAND [COMMAND ...]", as if several commands could run.
    parser.usage = "%(prog)s [options] -- COMMAND [ARGUMENT ...]"
    add = parser.add_argument
    add(
        "--index",
        choices=_INDEXES,
        default="pypi",
        help="the index to rehearse (default: %(default)s)",
    )
    add(
        "--trust",
        type=arguments.publisher,
        metavar="PROVIDER:OWNER/REPO/WORKFLOW[@ENVIRONMENT]",
        help="run the command in the CI job of this trusted publisher, without credentials, such "
        "as github:acme/demo/release.yml@pypi (default: give it a token)",
    )
    add(
        "--report",
        choices=_FORMATS,
        default="text",
        help="the format of the report on standard output; with json and junit, the output of the "
        "command goes to standard error (default: %(default)s)",
    )
    add_dependencies(
        parser,
        content="the dependencies of the release, and the requirements of builds",
        default="install without dependencies",
    )
    add("command", nargs="+", metavar="COMMAND", help="the command to run, with its arguments")


def run(parsed: argparse.Namespace) -> int:
    """Run the command that the arguments name, print a report, and return the exit status.

    Raises:
        CloudRepoServerError: the server cannot start, or an option is not valid.
    """
    missing = _missing_libraries(by_trusted_publishing=parsed.trust is not None)
    if missing:
        print_error(f"rehearse needs {', '.join(missing)}: install the extra with {_INSTALL}")
        return _UNUSABLE
    # Log errors only, so that the server's log does not mix with the output of the command.
    logging.getLogger().setLevel(logging.ERROR)
    # Imported here because the parser does not need the HTTP server.
    from cloudrepo_server.cli.rehearsal.rehearsal import Options

    options = Options(
        command=tuple(parsed.command),
        index=parsed.index,
        publisher=parsed.trust,
        dependencies=parsed.dependencies,
        is_output_separate=parsed.report != "text",
    )
    return run_in_event_loop(_rehearse(options, parsed.report))


def _missing_libraries(*, by_trusted_publishing: bool) -> list[str]:
    from cloudrepo_server.domain.identity_issuer import IdentityIssuer
    from cloudrepo_server.specs.pypi_rules.libraries import missing_libraries
    from cloudrepo_server.web.impersonation.certificates import CertificateAuthority

    missing = missing_libraries()
    if not CertificateAuthority.is_installed():
        missing.append("trustme")
    if by_trusted_publishing and not IdentityIssuer.is_installed():
        missing += ["pyjwt", "cryptography"]
    return missing


async def _rehearse(options: "Options", report_format: str) -> int:
    from cloudrepo_server.cli.child_process import CannotStartError
    from cloudrepo_server.cli.rehearsal.formats import WRITERS
    from cloudrepo_server.cli.rehearsal.interruption import Interruption
    from cloudrepo_server.cli.rehearsal.rehearsal import rehearse

    interruption = Interruption()
    interruption.listen()
    try:
        report = await rehearse(options, interruption)
    except CannotStartError as error:
        print_error(error)
        return error.status
    sys.stdout.write(WRITERS[report_format](report))
    return report.exit_status
