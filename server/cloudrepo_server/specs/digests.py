"""The digests that pages of indexes list for a file, by algorithm as `hashlib` names it.

https://packaging.python.org/specifications/simple-repository-api/
"""

from collections.abc import Sequence
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from cloudrepo_server.errors import InvalidError


def _pattern(digits: int) -> Meta:
    return Meta(pattern=rf"^([0-9a-fA-F]{{{digits}}})?\Z", max_length=digits)


_128Bit = Annotated[str, _pattern(32)]
_160Bit = Annotated[str, _pattern(40)]
_224Bit = Annotated[str, _pattern(56)]
_256Bit = Annotated[str, _pattern(64)]
_384Bit = Annotated[str, _pattern(96)]
_512Bit = Annotated[str, _pattern(128)]


class ListedDigests(msgspec.Struct, frozen=True):
    """The digests of a file or of its core metadata, in the order of preference.

    Digests of other algorithms are ignored.
    """

    sha256: _256Bit | None = None
    sha512: _512Bit | None = None
    sha384: _384Bit | None = None
    sha224: _224Bit | None = None
    blake2b: _512Bit | None = None
    blake2s: _256Bit | None = None
    sha3_512: _512Bit | None = None
    sha3_384: _384Bit | None = None
    sha3_256: _256Bit | None = None
    sha3_224: _224Bit | None = None
    sha1: _160Bit | None = None
    md5: _128Bit | None = None

    @classmethod
    def of_fragment(cls, fragment: str) -> Self:
        """Return the digests in the fragment of a file's URL, such as `sha256=01ab…`.

        Raises:
            InvalidError: one of them is not a digest of its algorithm.
        """
        parts = (part.partition("=") for part in fragment.split("&"))
        try:
            return msgspec.convert({name: value for name, _, value in parts}, cls)
        except msgspec.ValidationError as error:
            raise InvalidError(f"one of its digests is invalid: {error}") from error

    def by_algorithm(self) -> dict[str, str]:
        """Return the digests in lower case by the name of the algorithm."""
        digests = msgspec.structs.asdict(self)
        return {name: digest.lower() for name, digest in digests.items() if digest}


# The names of the algorithms, in the order of preference.
_ALGORITHMS = ListedDigests.__struct_fields__


def check_algorithms(names: Sequence[str]) -> None:
    """Check the names of algorithms.

    Raises:
        InvalidError: a name is unknown or appears twice.
    """
    for number, name in enumerate(names):
        if name not in _ALGORITHMS:
            raise InvalidError(
                f"Unknown digest {name[:64]!r}; the digests are: {', '.join(_ALGORITHMS)}."
            )
        if name in names[:number]:
            raise InvalidError(f"The digest {name} is named twice.")
