"""How a repository answers where registries differ: one table, a row a registry.

Where a cell is from stands beside it: `cloudrepo` is what is publicly known of the live service
(its own client and what others' artifacts show), `warehouse` PyPI's own source code, a link a
thread in which the answer was seen. What no source tells is as in `modern`.
"""

import msgspec

from cloudrepo_server.errors import InvalidError

REQUIRES_PYTHON, YANKED, CORE_METADATA, STATUS, PROVENANCE = ATTRIBUTES = (
    "requires-python",
    "yanked",
    "core-metadata",
    "status",
    "provenance",
)


class Dialect(msgspec.Struct, frozen=True):
    """One registry's answers."""

    name: str
    exists_status: int = 409
    """The refusal of other bytes under a name that stays taken."""
    exists_text: str = "File already exists: {filename} (overwrite protection is on)"
    """Its words, by which clients know it; the fields are those of `Repository._decide`."""
    exists_in_reason: bool = True
    """Whether its words stand in the reason phrase too, which is all that some clients show."""
    always_protected: bool = False
    """Whether names stay taken without overwrite protection too."""
    identical_accepted: bool = False
    """Whether identical bytes under a taken name are answered 200, with nothing changed."""
    deleted_text: str | None = None
    """The refusal of a deleted file's name used again; None allows it."""
    too_large_status: int = 413
    """The refusal of a file over the limit."""
    json_version: str | None = "1.4"
    """The version of the simple API's JSON form; None where pages are HTML alone."""
    shows_hashes: bool = True
    """Whether pages tell digests."""
    attributes: frozenset[str] = frozenset(ATTRIBUTES)
    """What pages tell of a file or project beyond its name, and what belongs to it is served."""
    accepts_any_file: bool = False
    """Whether files of any kind are taken unread: the name's characters alone count."""
    empty_project_status: int = 404
    """The page of a project whose files are all gone: 404, or 200 for an empty page."""
    simple_prefixes: tuple[str, ...] = ("simple",)
    """Below which first segments of a path the simple API is too."""
    required_digests: frozenset[str] = frozenset(
        {"sha256_digest", "md5_digest", "blake2_256_digest"}
    )
    """The form's fields of which one must be there."""

    @property
    def needs_blake2_256(self) -> bool:
        """Whether the text of a rejected upload contains the BLAKE2 digest of the existing file."""
        return "{blake2_256}" in self.exists_text


_TABLE = (
    Dialect(name="modern"),
    Dialect(
        name="cloudrepo",
        # No lock file made from it has hashes, sizes or upload times.
        json_version=None,
        shows_hashes=False,
        attributes=frozenset(),
        # Its client names the file's characters as the one rule.
        accepts_any_file=True,
        required_digests=frozenset({"sha256_digest", "md5_digest"}),
    ),
    Dialect(
        name="pypi",
        # All of warehouse.
        exists_status=400,
        exists_text="File already exists ('{filename}', with blake2_256 hash '{blake2_256}').",
        always_protected=True,
        identical_accepted=True,
        deleted_text=(
            "This filename was previously used by a file that has since been deleted. "
            "Use a different version."
        ),
        too_large_status=400,
        empty_project_status=200,
    ),
    Dialect(
        name="devpi",
        # https://github.com/devpi/devpi/issues/1018 has no metadata files; its JSON is 1.0.
        exists_text="{filename} already exists in non-volatile index",
        identical_accepted=True,
        json_version="1.0",
        attributes=frozenset({REQUIRES_PYTHON}),
        # Where hatch looks for what is there already, at every host but PyPI's.
        simple_prefixes=("simple", "+simple"),
    ),
    Dialect(
        name="pypiserver",
        # https://github.com/pypa/twine/issues/681 shows status and reason,
        # https://github.com/pypiserver/pypiserver/issues/508 and 555 what its pages leave out.
        exists_text="Package '{filename}' already exists!",
        exists_in_reason=False,
        json_version=None,
        attributes=frozenset(),
        accepts_any_file=True,
    ),
    Dialect(
        name="gitlab",
        # https://github.com/pypa/twine/issues/697, for identical bytes too:
        # https://github.com/astral-sh/uv/pull/8531
        exists_status=400,
        exists_text="Validation failed: File name has already been taken",
        exists_in_reason=False,
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
    ),
    Dialect(
        name="nexus",
        # https://github.com/pypa/twine/issues/693, no metadata files:
        # https://github.com/sonatype/nexus-public/issues/296
        exists_status=400,
        exists_text="Repository does not allow updating assets: {repository}",
        exists_in_reason=False,
        json_version=None,
        attributes=frozenset({REQUIRES_PYTHON}),
    ),
    Dialect(
        name="artifactory",
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
)

DIALECTS = {dialect.name: dialect for dialect in _TABLE}


def get_dialect(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        InvalidError: there is none.
    """
    try:
        return DIALECTS[name]
    except KeyError:
        known = ", ".join(DIALECTS)
        raise InvalidError(f"There is no dialect {name!r}; there are: {known}.") from None
