"""The table of dialects: how a repository behaves where registries differ.

`_TABLE` has one row for each dialect. To add a dialect:

1. Add a row to `_TABLE`. State only what differs from `modern`, and state the source of each value
   in a comment. Leave undocumented behaviour as in `modern`.
2. Add its name and its behaviour to `tests/server/specs/test_dialects.py`.
3. Add its name to the table of settings in `README.md`, and to the tests of
   `docs/how-to/publishing-script.md`.

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
    YANKED,
    Dialect,
)
from cloudrepo_server.specs.file_urls import REDIRECT

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
        # server/devpi_server/view_auth.py of devpi: the realm.
        exists_text="{filename} already exists in non-volatile index",
        identical_accepted=True,
        json_version="1.0",
        attributes=frozenset({REQUIRES_PYTHON}),
        # hatch looks for existing files below +simple, on every host but PyPI's.
        simple_prefixes=("simple", "+simple"),
        challenge='Basic realm="pypi"',
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
        # depend on that index. pypiserver/_app.py of pypiserver: the realm.
        exists_text="Package '{filename}' already exists!",
        exists_in_reason=False,
        wrong_login_status=403,
        challenge='Basic realm="pypi"',
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
        # lib/api/pypi_packages.rb of GitLab: the status of a file that is too large, that a form
        # needs no digest, and that JSON pages exist only with a feature flag.
        # lib/api/helpers/packages/basic_auth_helpers.rb: the realm.
        exists_text="Validation failed: File name has already been taken",
        exists_in_reason=False,
        no_access_status=404,
        challenge='Basic realm="GitLab Packages Registry"',
        too_large_status=400,
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
        required_digests=frozenset(),
    ),
    Dialect(
        name="nexus",
        summary="Like Sonatype Nexus: HTML pages; a rejected overwrite has status 400.",
        # https://github.com/sonatype/nexus-public/issues/696 and
        # https://github.com/pypa/twine/issues/1044: status and text since version 3.70.
        # https://github.com/sonatype/nexus-public/issues/296 and 998: no metadata files, and no
        # times of uploads.
        # https://github.com/sonatype-nexus-community/nexus-repository-r/issues/22: the realm.
        exists_status=400,
        exists_text="{repository}/packages/{project}/{version}/{filename} cannot be updated",
        challenge='BASIC realm="Sonatype Nexus Repository Manager"',
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
    ),
    Dialect(
        name="artifactory",
        summary="Like Artifactory: HTML pages; a rejected overwrite has status 403.",
        # https://github.com/pypa/twine/pull/363 and https://github.com/conan-io/conan/issues/6193:
        # status and text. https://github.com/astral-sh/uv/pull/18823: no JSON pages.
        # https://github.com/renovatebot/renovate/issues/10148: the realm.
        # docs/guides/integration/jfrog.md of uv: a token with the user name `__token__` is
        # rejected, one with an empty user name is accepted. Artifactory also accepts the name of
        # the token's owner (https://github.com/microsoft/azure-pipelines-tasks/issues/11719),
        # which tokens of this server do not have.
        # https://jfrog.com/help/r/artifactory-enabling-fast-dependency-resolution-for-pypi-pep-658:
        # an administrator can enable metadata files.
        exists_status=403,
        exists_text=(
            "Not enough permissions to delete/overwrite artifact "
            "'{repository}:{filename}' (user '{user}' needs DELETE permission)."
        ),
        exists_in_reason=False,
        challenge='Basic realm="Artifactory Realm"',
        token_user_names=("",),
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
        # routers/api/packages/api.go: the realm, the status for a login without access, and that no
        # page lists the projects.
        exists_text="package file already exists",
        exists_in_reason=False,
        always_protected=True,
        no_access_status=401,
        no_write_status=401,
        challenge='Basic realm="Gitea Package API"',
        json_version=None,
        lists_projects=False,
        attributes=frozenset({REQUIRES_PYTHON}),
        required_digests=frozenset({"sha256_digest"}),
    ),
    Dialect(
        name="pulp",
        summary="Like Pulp: a file name cannot be used twice; a second upload has status 400.",
        # All from pulp_python/app/pypi/views.py, serializers.py and utils.py of pulp_python 3.28.
        exists_status=400,
        exists_text="Package {filename} already exists in index",
        always_protected=True,
        json_version="1.1",
        attributes=frozenset({REQUIRES_PYTHON, CORE_METADATA, PROVENANCE}),
        required_digests=frozenset({"sha256_digest"}),
    ),
    Dialect(
        name="azure",
        summary="Like Azure Artifacts: a file name cannot be used twice; files are elsewhere.",
        # https://github.com/Azure/azure-sdk-for-python/issues/9286: the reason phrase, and that
        # files cannot be replaced.
        # https://github.com/astral-sh/uv/issues/10394: a page.
        # https://github.com/pypa/pip/issues/11701, 8489 and 10694: files are redirected to a
        # signed URL in a blob storage, and the status of the redirect.
        # docs/guides/integration/azure.md of uv: a token is accepted with any user name.
        # https://github.com/microsoft/azure-pipelines-tasks/issues/10967: the three challenges of a
        # 401; here with other hosts.
        exists_text=(
            "Conflict - The feed '{repository}' already contains file '{filename}' in package "
            "'{project} {version}'."
        ),
        always_protected=True,
        challenge=(
            "Bearer authorization_uri=https://login.example/tenant, "
            'Basic realm="https://packages.example/", TFS-Federated'
        ),
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
        files=REDIRECT,
        file_redirect_status=303,
    ),
    Dialect(
        name="codeartifact",
        summary="Like AWS CodeArtifact: a file name cannot be used twice; no text says why.",
        # https://github.com/DeytaHQ/khora/pull/498: the status and the reason phrase, which is
        # `Conflict`. Its body is undocumented.
        # The user guide of CodeArtifact, page packages-overview: files cannot be replaced, and an
        # identical upload is accepted; page python-compatibility: what pages contain, and that no
        # page lists the projects; page create-s3-gateway-endpoint: Python clients download files
        # from the index itself.
        # docs/guides/integration/aws.md of uv: the user name.
        # https://github.com/actions/setup-python/issues/733: the status for a wrong token. A
        # comment on https://github.com/astral-sh/uv/issues/11899 says 404 instead.
        exists_in_reason=False,
        always_protected=True,
        identical_accepted=True,
        token_user_names=("aws",),
        json_version="1.1",
        more_digests=("md5",),
        lists_projects=False,
        attributes=frozenset({REQUIRES_PYTHON, YANKED}),
        stored_digests=frozenset({"md5"}),
    ),
    Dialect(
        name="google",
        summary="Like Google Artifact Registry: a rejected overwrite has status 400.",
        # https://github.com/pypa/twine/issues/816 and 1007: status and text, which is not in the
        # reason phrase.
        # The documentation of Artifact Registry: its pages follow PEP 503.
        # https://github.com/grafana/grafana-foundation-sdk/issues/1019: the URL of a file, with its
        # digest, on the host of the index.
        # https://github.com/astral-sh/uv/issues/9778 and 2822, docs/guides/integration/google.md of
        # uv: the user names, and the status for another one.
        exists_status=400,
        exists_text="Requested entity already exists.",
        exists_in_reason=False,
        token_user_names=("oauth2accesstoken", "_json_key_base64"),
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
    ),
    Dialect(
        name="cloudsmith",
        summary="Like Cloudsmith: accepts an upload of an existing file, and then discards it.",
        # Its API's documentation of `republish`: a package that exists is flagged as a duplicate.
        # https://github.com/agentjp/bdinfo-rs/pull/80: the upload succeeds, and the processing of
        # the file fails later, unless the repository's settings allow that it is replaced.
        # https://github.com/cloudsmith-io/cloudsmith-cli/pull/368: the text, which uploaders do not
        # get. The status of the native upload API is undocumented, so it is that of other uploads.
        # https://github.com/astral-sh/uv/issues/8221: status and text for a wrong token.
        # scripts/publish/test_publish.py of uv: a token with the user name `__token__`, and
        # digests on pages. JSON pages and metadata files are undocumented.
        exists_status=200,
        exists_text=(
            "A package with name '{project}' already exists. This package should be deleted."
        ),
        exists_in_reason=False,
        login_text="Authentication credentials were not provided.",
    ),
    Dialect(
        name="no-registry",
        summary="Like GitHub Packages: there is no Python registry; every request gets a 404.",
        # https://github.com/github/roadmap/issues/94 and https://github.com/github/docs/issues/44134:
        # GitHub Packages has registries for other languages, but none for Python. What its
        # hosts respond to Python clients is undocumented. Here it is a 404, even with a login.
        has_registry=False,
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
    """Return the dialect of uploads: `pypi` if PyPI's rules apply, else that of the repository."""
    return DIALECTS["pypi"] if applies_pypi_rules(dialect, rules) else get_dialect(dialect)
