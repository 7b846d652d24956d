"""The metadata that an upload form declares about its file."""

from collections.abc import Mapping

import msgspec
from packaging.utils import canonicalize_name

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.dialect import Dialect
from cloudrepo_server.specs.filenames import (
    DistributionName,
    check_filename,
    check_project_name,
    parse_filename,
    same_version,
)
from cloudrepo_server.specs.pypi_rules.form import UploadForm


class DeclaredMetadata(msgspec.Struct, frozen=True):
    """The fields of an upload form that are checked; None for a missing, empty or unknown one."""

    name: str | None = None
    version: str | None = None
    filetype: str | None = None
    digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The digests by the names of the form's fields."""
    attestations: str | None = None
    form: UploadForm | None = None
    """The whole form, if PyPI's rules apply."""

    def resolve_name(self, filename: str, dialect: Dialect) -> DistributionName:
        """Return the project, version and type of the file, from its name and the form.

        Raises:
            InvalidError: the file name is not valid, or the form contradicts it.
        """
        project = None if self.name is None else check_project_name(self.name)
        try:
            name = parse_filename(filename, project=project)
        except InvalidError:
            if not dialect.accepts_any_file:
                raise
            return _name_of_any_file(filename, project)
        if project is not None and project != name.project:
            # In every dialect, because a file name belongs to one project of a repository.
            raise InvalidError(f"{filename} is not a file of the project {self.name}.")
        if dialect.accepts_any_file:
            return name
        if self.version is not None and not same_version(self.version, name.version):
            raise InvalidError(f"{filename} is not a file of version {self.version}.")
        if self.filetype not in (None, name.filetype):
            raise InvalidError(f"{filename} is not a {self.filetype} but a {name.filetype}.")
        return name


def _name_of_any_file(filename: str, project: str | None) -> DistributionName:
    check_filename(filename)
    stem = project or canonicalize_name(filename.partition("-")[0].partition(".")[0])
    return DistributionName(filename, check_project_name(stem), "", "sdist", ambiguous=True)
