"""How a repository answers where registries differ: one table, a row a registry.

The sources of the cells: `wire` is what was measured with the clients, `cloudrepo` what is publicly
known of the live service (its own client and what others' artifacts show), `warehouse` PyPI's own
source code.
"""

from dataclasses import dataclass, field

from cloudrepo_server.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Dialect:
    """One registry's answers."""

    name: str
    exists_status: int = 409
    """The refusal of other bytes under a name that stays taken (cloudrepo: 409; warehouse: 400)."""
    exists_text: str = "File already exists: {filename} (overwrite protection is on)"
    """Its words; clients look for "already exist" in them (wire 3.2)."""
    always_protected: bool = False
    """Whether names stay taken without overwrite protection too (warehouse: always)."""
    identical_accepted: bool = False
    """Whether identical bytes under a taken name are answered 200 (warehouse; cloudrepo: no)."""
    deleted_text: str | None = None
    """The refusal of a deleted file's name used again; None allows it (warehouse: refused)."""
    too_large_status: int = 413
    """The refusal of a file over the limit (RFC 9110: 413; warehouse: 400)."""
    json: bool = True
    """Whether pages come as JSON too, with all that simple API 1.4 has (cloudrepo: HTML alone)."""
    hashes: bool = True
    """Whether pages tell digests (cloudrepo: no lock file made from it has any)."""
    attributes: bool = True
    """Whether pages tell requires-python, yanks, status and core metadata (cloudrepo: none)."""
    any_file: bool = False
    """Whether files of any kind are taken unread (cloudrepo: the name's characters alone count)."""
    empty_project_status: int = 404
    """The page of a project whose files are all gone (warehouse: 200, an empty page)."""
    digests: frozenset[str] = field(
        default=frozenset({"sha256_digest", "md5_digest", "blake2_256_digest"})
    )
    """The form's fields of which one must be there (cloudrepo: blake2 alone is not enough)."""


_TABLE = (
    Dialect(name="modern"),
    Dialect(
        name="cloudrepo",
        json=False,
        hashes=False,
        attributes=False,
        any_file=True,
        digests=frozenset({"sha256_digest", "md5_digest"}),
    ),
    Dialect(
        name="pypi",
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
)

DIALECTS = {dialect.name: dialect for dialect in _TABLE}


def dialect_named(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        InvalidError: there is none.
    """
    try:
        return DIALECTS[name]
    except KeyError:
        known = ", ".join(DIALECTS)
        raise InvalidError(f"There is no dialect {name!r}; there are: {known}.") from None
