"""The table of dialects: how a repository behaves where registries differ.

`_TABLE` has one row for each dialect. To add a dialect:

1. Add a row to `_TABLE`. State only what differs from `modern`, and state the source of each value
   in a comment. Leave undocumented behaviour as in `modern`.
2. Add its name and its behaviour to `tests/server/specs/test_dialects.py`.
3. Add its name to the table of settings in `README.md`.

The admin API, the portal and the tables of the documentation are derived from `_TABLE`.

The sources of the values:

- `cloudrepo`: the public client of the live service, and lock files that others made from it.
- `pypi`: the source code of warehouse.
- The others: reports of their behaviour, linked in comments.
"""

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.dialect import (
    CORE_METADATA,
    PROVENANCE,
    REQUIRES_PYTHON,
    Dialect,
)

_TABLE = (
    Dialect(
        name="modern",
        summary="What current clients expect: hashes, metadata files, JSON and yanking.",
    ),
    Dialect(
        name="cloudrepo",
        summary="Like CloudRepo: plain HTML pages, no hashes, files of any type.",
        # Its documentation calls the user name an e-mail address.
        user_names_are_addresses=True,
        # Lock files made from CloudRepo contain no hashes, sizes or upload times.
        json_version=None,
        shows_hashes=False,
        attributes=frozenset(),
        # Its client checks nothing but the characters of the file name.
        accepts_any_file=True,
        required_digests=frozenset({"sha256_digest", "md5_digest"}),
    ),
    Dialect(
        name="pypi",
        summary="Like PyPI: a file name can never be reused.",
        # All from the source code of warehouse.
        exists_status=400,
        exists_text="File already exists ('{filename}', with blake2_256 hash '{blake2_256}').",
        always_protected=True,
        identical_accepted=True,
        deleted_text=(
            "This filename was previously used by a file that has since been deleted. "
            "Use a different version."
        ),
        follows_pypi_rules=True,
        unauthenticated_upload="Invalid or non-existent authentication information.",
        too_large_status=400,
        empty_project_status=200,
        stored_digests=frozenset({"blake2_256", "md5"}),
        has_serials=True,
        has_pypi_api=True,
        redirect_status=301,
        page_seconds=600,
    ),
    Dialect(
        name="devpi",
        summary="Like devpi: an older JSON format, no metadata files.",
        # https://github.com/devpi/devpi/issues/1018: no metadata files, JSON format 1.0.
        # Rejected logins, forms without a digest, redirects: measured with devpi-server 6.20.3.
        exists_text="{filename} already exists in non-volatile index",
        identical_accepted=True,
        json_version="1.0",
        attributes=frozenset({REQUIRES_PYTHON}),
        # hatch looks for existing files below +simple, on every host but PyPI's.
        simple_prefixes=("simple", "+simple"),
        login_text_in_reason=False,
        required_digests=frozenset(),
        redirect_status=302,
    ),
    Dialect(
        name="pypiserver",
        summary="Like pypiserver: plain HTML pages, files of any type.",
        # https://github.com/pypa/twine/issues/681: status and reason.
        # https://github.com/pypiserver/pypiserver/issues/508 and 555: what its pages lack.
        # Rejected logins, forms without a digest, redirects: measured with pypiserver 2.4.2. Its
        # redirect of missing projects to the public index is not imitated, because a test must not
        # depend on that index.
        exists_text="Package '{filename}' already exists!",
        exists_in_reason=False,
        wrong_login_status=403,
        login_text_in_reason=False,
        json_version=None,
        attributes=frozenset(),
        accepts_any_file=True,
        required_digests=frozenset(),
        redirect_status=301,
    ),
    Dialect(
        name="gitlab",
        summary="Like GitLab: HTML pages; a rejected overwrite has status 400.",
        # https://github.com/pypa/twine/issues/697: status and text.
        # https://github.com/astral-sh/uv/pull/8531: identical content is rejected too.
        exists_status=400,
        # https://docs.gitlab.com/api/rest/troubleshooting: what a user may not see.
        exists_text="Validation failed: File name has already been taken",
        exists_in_reason=False,
        no_access_status=404,
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
    ),
    Dialect(
        name="nexus",
        summary="Like Sonatype Nexus: HTML pages; a rejected overwrite has status 400.",
        # https://github.com/sonatype/nexus-public/issues/696 and
        # https://github.com/pypa/twine/issues/1044: status and text since version 3.70.
        # https://github.com/sonatype/nexus-public/issues/296: no metadata files.
        exists_status=400,
        exists_text="{repository}/packages/{project}/{version}/{filename} cannot be updated",
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
    ),
    Dialect(
        name="artifactory",
        summary="Like Artifactory: HTML pages; a rejected overwrite has status 403.",
        # https://github.com/pypa/twine/pull/363 and https://github.com/conan-io/conan/issues/6193
        exists_status=403,
        exists_text=(
            "Not enough permissions to delete/overwrite artifact "
            "'{repository}:{filename}' (user '{user}' needs DELETE permission)."
        ),
        exists_in_reason=False,
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
    ),
    Dialect(
        name="gitea",
        summary="Like Gitea and Forgejo: HTML pages; a file name cannot be used twice.",
        # https://github.com/go-gitea/gitea/issues/27470: the text; it is not in the reason phrase.
        # https://github.com/go-gitea/gitea/pull/27480: the status since version 1.21, and that a
        # file must be deleted before its name can be used again.
        # routers/api/packages/pypi/pypi.go and templates/api/packages/pypi/simple.tmpl of Gitea:
        # the digest that a form needs, and what pages contain.
        exists_text="package file already exists",
        exists_in_reason=False,
        always_protected=True,
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
        required_digests=frozenset({"sha256_digest"}),
    ),
    Dialect(
        name="pulp",
        summary="Like Pulp: a file name cannot be used twice; a second upload has status 400.",
        # pulp_python/app/pypi/views.py of pulp_python: all of these.
        exists_status=400,
        exists_text="Package {filename} already exists in index",
        always_protected=True,
        attributes=frozenset({REQUIRES_PYTHON, CORE_METADATA, PROVENANCE}),
    ),
    Dialect(
        name="azure",
        summary="Like Azure Artifacts: a file name cannot be used twice.",
        # https://github.com/Azure/azure-sdk-for-python/issues/9286: the reason phrase, and that
        # files cannot be replaced. Its pages are undocumented.
        exists_text=(
            "Conflict - The feed '{repository}' already contains file '{filename}' in package "
            "'{project} {version}'."
        ),
        always_protected=True,
    ),
    Dialect(
        name="codeartifact",
        summary="Like AWS CodeArtifact: a file name cannot be used twice; no text says why.",
        # https://github.com/DeytaHQ/khora/pull/498: the status, the reason phrase, which is
        # `Conflict`, and that files cannot be replaced. Its body and its pages are undocumented.
        exists_in_reason=False,
        always_protected=True,
    ),
    Dialect(
        name="google",
        summary="Like Google Artifact Registry: a rejected overwrite has status 400.",
        # https://github.com/pypa/twine/issues/816 and 1007: status and text, which is not in the
        # reason phrase. Its pages are undocumented.
        exists_status=400,
        exists_text="Requested entity already exists.",
        exists_in_reason=False,
    ),
)

DIALECTS = {dialect.name: dialect for dialect in _TABLE}

PYPI, NONE = RULES = ("pypi", "none")
"""The values of the setting `rules`."""


def get_dialect(name: str) -> Dialect:
    """Return the dialect with this name.

    Raises:
        InvalidError: there is no such dialect.
    """
    try:
        return DIALECTS[name]
    except KeyError:
        names = ", ".join(DIALECTS)
        raise InvalidError(f"Unknown dialect {name!r}; the dialects are: {names}.") from None


def applies_pypi_rules(dialect: str, rules: str | None) -> bool:
    """Return whether uploads must follow PyPI's rules.

    Args:
        dialect: the repository's dialect.
        rules: the setting `rules`; None if the dialect decides.
    """
    return get_dialect(dialect).follows_pypi_rules if rules is None else rules == PYPI


def upload_dialect(dialect: str, rules: str | None) -> Dialect:
    """Return the dialect of uploads: `pypi` if PyPI's rules apply, else the repository's own."""
    return DIALECTS["pypi"] if applies_pypi_rules(dialect, rules) else get_dialect(dialect)
