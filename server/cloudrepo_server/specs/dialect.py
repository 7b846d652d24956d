"""The behaviours in which registries differ. `dialects.py` has the table of all dialects."""

import msgspec

from cloudrepo_server.specs.file_urls import INDEX

REQUIRES_PYTHON, YANKED, CORE_METADATA, STATUS, PROVENANCE = ATTRIBUTES = (
    "requires-python",
    "yanked",
    "core-metadata",
    "status",
    "provenance",
)


DEFAULT_CHALLENGE = 'Basic realm="{realm}", charset="UTF-8"'


class Dialect(msgspec.Struct, frozen=True):
    """The behaviour of one registry."""

    name: str
    summary: str
    """A sentence for the portal."""
    has_registry: bool = True
    """Whether there is a Python registry. If not, every request gets the same 404."""
    exists_status: int = 409
    """The status of the response to an upload that would replace an existing file.

    If it is 200, the response equals that to an accepted upload, although the file is not replaced.
    """
    exists_text: str = "File already exists: {filename} (overwrite protection is on)"
    """The text of that response, which clients recognize.

    `check_overwrite_protection` in `domain/overwrite.py` fills in the fields.
    """
    exists_in_reason: bool = True
    """Whether that text is the reason phrase too, which is all that some clients show."""
    always_protected: bool = False
    """Whether files cannot be replaced even if overwrite protection is off."""
    identical_accepted: bool = False
    """Whether an upload that is identical to the existing file is accepted without a change."""
    deleted_text: str | None = None
    """The text of the response to an upload under the name of a deleted file.

    If it is None, such an upload is accepted.
    """
    follows_pypi_rules: bool = False
    """Whether uploads must follow PyPI's rules, unless the setting `rules` says otherwise."""
    unauthenticated_upload: str | None = None
    """The text of the 403 to an upload with missing or wrong credentials; None for a 401."""
    wrong_login_status: int = 401
    """The status of the response to wrong credentials."""
    no_login_status: int = 401
    """The status of the response to a request without the login that it needs."""
    no_access_status: int = 403
    """The status of the response to a login that may not read the repository."""
    no_write_status: int = 403
    """The status of the response to an upload by a login that may only read."""
    challenge: str = DEFAULT_CHALLENGE
    """The header `WWW-Authenticate` of a 401. `{realm}` is the name of the organization."""
    login_text: str | None = None
    """The text of each 401. If it is None, the text says why the credentials were rejected."""
    user_names_are_addresses: bool = False
    """Whether the user name of every user is an e-mail address."""
    token_user_names: tuple[str, ...] = ()
    """The user names with which tokens are accepted. If it is empty, any name is accepted."""
    login_text_in_reason: bool = True
    """Whether the reason phrase says why the credentials were rejected."""
    too_large_status: int = 413
    """The status of the response to an upload that is too large."""
    json_version: str | None = "1.4"
    """The version of the simple API's JSON pages; None if there are only HTML pages."""
    shows_hashes: bool = True
    """Whether pages contain digests."""
    more_digests: tuple[str, ...] = ()
    """The algorithms of the digests that JSON pages contain besides SHA-256."""
    lists_projects: bool = True
    """Whether there is a page that lists all projects."""
    attributes: frozenset[str] = frozenset(ATTRIBUTES)
    """The optional properties of files and projects on pages: a subset of `ATTRIBUTES`."""
    accepts_any_file: bool = False
    """Whether any file is accepted unread; only the characters of its name are checked."""
    empty_project_status: int = 404
    """The status of the page of a project without files: 404, or 200 with an empty page."""
    simple_prefixes: tuple[str, ...] = ("simple",)
    """The first segments of further paths of the simple API, besides the repository's own URL."""
    required_digests: frozenset[str] = frozenset(
        {"sha256_digest", "md5_digest", "blake2_256_digest"}
    )
    """The digest fields of which an upload form needs at least one; empty if it needs none."""
    stored_digests: frozenset[str] = frozenset()
    """The digests that are stored with each file, besides SHA-256: `blake2_256` and `md5`."""
    has_serials: bool = False
    """Whether each change has a serial, which pages show."""
    has_pypi_api: bool = False
    """Whether PyPI's JSON API, integrity API and paths of files are below the repository's URL."""
    redirect_status: int | None = None
    """The status of the redirects from URLs with unnormalized names, or without a slash at the end.

    If it is None, such URLs get the page itself.
    """
    page_seconds: int = 0
    """How many seconds clients may cache a page."""
    files: str = INDEX
    """The place of the files: the default of the setting `files`."""
    file_redirect_status: int = 302
    """The status of a redirect to a file on another host."""

    @property
    def token_user_name(self) -> str:
        """The user name with which clients send a token."""
        # Imported here because most servers do not need the clients.
        from cloudrepo_server.clients.connection import TOKEN_USER

        return self.token_user_names[0] if self.token_user_names else TOKEN_USER
