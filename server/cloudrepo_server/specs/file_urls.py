"""The URLs of files on another host than the index: permanent links, and signed URLs that expire.

Each URL is valid for one file of one repository, without a login. Only a server with the secret key
can create such URLs.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from urllib.parse import quote

from cloudrepo_server.specs.filenames import METADATA_SUFFIX

INDEX, OTHER_HOST, REDIRECT = PLACES = ("index", "other-host", "redirect")
"""The values of the setting `files`: where the files of a repository are.

- `index`: on the host of the index, which requires the index's login.
- `other-host`: pages link to another host.
- `redirect`: the index redirects to a signed URL on another host, which expires.
"""

# The beginning of the secret in a permanent link. The log masks texts that begin like this.
_LINK_PREFIX = "cloudrepo.link."

_LINK, _SIGNED_URL = "link", "signed URL"


@dataclass(frozen=True, slots=True)
class FileUrls:
    """The URLs of a repository's files on another host."""

    base: str
    """The URL below which the files of the repository are."""
    repository_id: str
    key: bytes = field(repr=False)
    """The server's secret key for these URLs."""

    def link(self, project: str, filename: str) -> str:
        """Return the permanent link to a file. Append `.metadata` for the core metadata."""
        described = filename.removesuffix(METADATA_SUFFIX)
        secret = _LINK_PREFIX + _digest(self.key, _LINK, self.repository_id, project, described)
        return f"{self.base}/{secret}/{project}/{quote(filename)}"

    def signed_url(self, project: str, filename: str, *, expires: int) -> str:
        """Return a URL of a file that is valid until `expires`, in seconds since the epoch."""
        file = self.repository_id, project, filename
        signature = _digest(self.key, _SIGNED_URL, *file, str(expires))
        query = f"expires={expires}&signature={signature}"
        return f"{self.base}/{project}/{quote(filename)}?{query}"


def is_link_secret(given: str, key: bytes, repository_id: str, project: str, filename: str) -> bool:
    """Return whether this is the secret in the permanent link to a file or its core metadata."""
    described = filename.removesuffix(METADATA_SUFFIX)
    return _is_equal(given, _LINK_PREFIX + _digest(key, _LINK, repository_id, project, described))


def is_signature(
    given: str, key: bytes, repository_id: str, project: str, filename: str, expires: str
) -> bool:
    """Return whether this is the signature in the URL of a file that expires."""
    return _is_equal(given, _digest(key, _SIGNED_URL, repository_id, project, filename, expires))


def _is_equal(given: str, expected: str) -> bool:
    # The time of the comparison does not depend on the content.
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


def _digest(key: bytes, *parts: str) -> str:
    # Only the last part may contain NUL, so different parts give different messages.
    message = "\0".join(parts).encode(errors="surrogatepass")
    digest = hmac.digest(key, message, hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
