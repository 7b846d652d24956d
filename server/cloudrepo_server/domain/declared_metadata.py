"""What an upload form says of its file, held against the file's name."""

from collections.abc import Mapping

import msgspec
from packaging.utils import canonicalize_name

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.dialect import Dialect
from cloudrepo_server.specs.filenames import (
    DistributionName,
    check_project_name,
    parse_filename,
    same_version,
)

_UNKNOWN = ("", "UNKNOWN")


class DeclaredMetadata(msgspec.Struct, frozen=True):
    """What an upload form says of its file; what is empty there is None here."""

    name: str | None = None
    version: str | None = None
    filetype: str | None = None
    digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    attestations: str | None = None

    def distribution_name(self, filename: str, dialect: Dialect) -> DistributionName:
        """What the file's name says, with which this agrees.

        Raises:
            InvalidError: it does not, or no distribution has such a name.
        """
        project = None if self.name is None else check_project_name(self.name)
        if dialect.accepts_any_file:
            return _unread_name(filename, project)
        name = parse_filename(filename, project=project)
        if project is not None and project != name.project:
            raise InvalidError(f"{filename} is not a file of the project {self.name}.")
        if self.version not in (None, *_UNKNOWN) and not same_version(
            self.version or "", name.version
        ):
            raise InvalidError(f"{filename} is not a file of version {self.version}.")
        if self.filetype not in (None, *_UNKNOWN, name.filetype):
            raise InvalidError(f"{filename} is not a {self.filetype} but a {name.filetype}.")
        return name


def _unread_name(filename: str, project: str | None) -> DistributionName:
    try:
        name = parse_filename(filename, project=project)
    except InvalidError:
        stem = project or canonicalize_name(filename.partition("-")[0].partition(".")[0])
        return DistributionName(filename, check_project_name(stem), "", "sdist")
    return DistributionName(filename, project or name.project, name.version, name.filetype)
