"""PyPI's rules, applied to one upload in PyPI's order; the first broken rule rejects it."""

from collections.abc import Iterator

from packaging.utils import canonicalize_name
from packaging.version import Version

from cloudrepo_server.domain.readme_process import ReadmeProcess
from cloudrepo_server.domain.staged_file import DIGEST_FIELDS, StagedFile
from cloudrepo_server.limits import Limits
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.pools import ARCHIVES
from cloudrepo_server.specs.filenames import DistributionName
from cloudrepo_server.specs.provenance import Publisher
from cloudrepo_server.specs.pypi_rules import filenames
from cloudrepo_server.specs.pypi_rules.form import FILE_PRESENT, UploadForm, check_form
from cloudrepo_server.specs.pypi_rules.metadata import MAX_SUMMARY, check_metadata
from cloudrepo_server.specs.pypi_rules.metadata_rules import description_broken
from cloudrepo_server.specs.pypi_rules.project_names import (
    SIMILAR_NAME,
    check_new_name,
    find_similar,
)
from cloudrepo_server.specs.pypi_rules.releases import DIGEST
from cloudrepo_server.specs.pypi_rules.rule import Finding

# Metadata of at most this size are checked in the event loop.
_SMALL_FORM = 8 << 10


class UploadRules:
    """The rules for an upload to a repository."""

    def __init__(
        self, repository: RepositoryDocument, readmes: ReadmeProcess, limits: Limits
    ) -> None:
        self._repository = repository
        self._readmes = readmes
        self._limits = limits

    async def check_form(self, form: UploadForm) -> None:
        """Check the fields of the form, the metadata included.

        Raises:
            BrokenRuleError: a field is not valid.
        """
        # The description is checked later, and in another process.
        size = sum(
            len(value)
            for name, values in form.fields.items()
            if name != "description"
            for value in values
        )
        if size <= _SMALL_FORM:
            self._check_form(form)
        else:
            await ARCHIVES.run(self._check_form, form)

    async def read_form(self, staged: StagedFile) -> UploadForm:
        """Return the form that a client would send with a file, made from the metadata in it."""
        await staged.finish()
        return await ARCHIVES.run(_read_form, staged, self._limits)

    def check_new_project(self, form: UploadForm, existing: list[str]) -> None:
        """Check the name of a project that does not exist yet.

        Args:
            form: the form.
            existing: the names of the existing projects.

        Raises:
            BrokenRuleError: the name is not available.
        """
        name = form.first("name")
        _raise_first(check_new_name(name, prohibited=self._repository.prohibited_names))
        similar = find_similar(name, existing)
        if similar is not None:
            raise SIMILAR_NAME.broken(name=name, other=similar).error()

    async def check_description(self, form: UploadForm) -> None:
        """Check that the description can be rendered.

        Raises:
            BrokenRuleError: it cannot be rendered, or not in time.
            BusyError: too many other READMEs are being rendered.
        """
        from cloudrepo_server.specs.pypi_rules.release_files import needs_rendering

        text = form.first("description")
        content_type = form.first("description_content_type")
        if needs_rendering(text, content_type):
            rendered = await self._readmes.render(text, content_type)
            if not rendered.is_valid:
                raise description_broken(content_type).error()

    def check_filename(self, form: UploadForm) -> None:
        """Check the characters and the extension of the file's name, and the file's content type.

        Raises:
            BrokenRuleError: the name or the type is not accepted.
        """
        filename = form.filename or ""
        _raise_first(filenames.check_characters(filename, form.first("filetype")))
        _raise_first(filenames.check_content_type(form.content_type))

    async def check_digests(self, form: UploadForm, staged: StagedFile) -> None:
        """Check the digests in the form.

        Raises:
            BrokenRuleError: a digest does not match the file.
        """
        declared = {name: form.first(name) for name in DIGEST_FIELDS if form.first(name)}
        field = await staged.find_wrong_digest(declared)
        if field is not None:
            raise DIGEST.broken(field=field).error()

    async def check_archive(self, form: UploadForm, staged: StagedFile) -> None:
        """Check the archive, and the name of the file against the metadata.

        Raises:
            BrokenRuleError: the archive is not accepted.
            InvalidError: the archive exceeds a limit of this server.
        """
        await staged.finish()
        await ARCHIVES.run(_check_archive, form, staged, self._limits)

    async def check_attestations(
        self, form: UploadForm, sha256: str, publisher: Publisher | None
    ) -> None:
        """Check the attestations in the form.

        Args:
            form: the form.
            sha256: the digest of the file.
            publisher: the trusted publisher that uploads the file, or None.

        Raises:
            BrokenRuleError: the attestations are not valid, belong to another file, or were not
                signed by the publisher.
        """
        if "attestations" in form.fields:
            await ARCHIVES.run(_check_attestations, form, sha256, publisher)

    def declared_name(self, form: UploadForm) -> DistributionName:
        """Return what a form with valid metadata declares about its file."""
        return DistributionName(
            form.filename or "",
            canonicalize_name(form.first("name")),
            str(Version(form.first("version"))),
            "sdist" if form.first("filetype") == "sdist" else "bdist_wheel",
        )

    def _check_form(self, form: UploadForm) -> None:
        _raise_first(check_form(form))
        limit = self._repository.max_summary
        max_summary = MAX_SUMMARY if limit is None else limit
        _raise_first(check_metadata(form, max_summary=max_summary))
        if form.filename is None:
            raise FILE_PRESENT.broken().error()


def _raise_first(findings: Iterator[Finding]) -> None:
    finding = next(findings, None)
    if finding is not None:
        raise finding.error()


def _read_form(staged: StagedFile, limits: Limits) -> UploadForm:
    # Imported with the first archive, because the import is slow.
    from cloudrepo_server.specs.pypi_rules.release_files import read_upload

    with staged.open() as file:
        return read_upload(file, staged.filename, limits=limits)


def _check_attestations(form: UploadForm, sha256: str, publisher: Publisher | None) -> None:
    from cloudrepo_server.specs.pypi_rules.attestations import check_attestations, check_login

    _raise_first(check_login(publisher))
    text, filename = form.first("attestations"), form.filename or ""
    _raise_first(check_attestations(text, filename=filename, sha256=sha256, publisher=publisher))


def _check_archive(form: UploadForm, staged: StagedFile, limits: Limits) -> None:
    from cloudrepo_server.specs.pypi_rules.archive import check_file
    from cloudrepo_server.specs.pypi_rules.release_files import declared_file

    with staged.open() as file:
        _raise_first(check_file(file, declared_file(form), limits))
