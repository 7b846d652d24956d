"""Keys of stored objects: a folder for each kind of document, and a folder for blobs."""

import hashlib
from functools import lru_cache

REPOSITORIES = "repositories/"
USERS = "users/"
TOKENS = "tokens/"
SESSIONS = "sessions/"
PROJECTS = "projects/"
CLAIMS = "claims/"
SERIALS = "serials/"
USED_IDENTITIES = "identities/"
ACTIVITY = "activity/"
AUDIT = "audit/"
ANNOUNCEMENTS = "deletions/"
BLOBS = "blobs/"

DOCUMENTS = (REPOSITORIES, USERS, TOKENS, SESSIONS, PROJECTS, CLAIMS, SERIALS, USED_IDENTITIES)
"""The folders of documents. In a shared store, each deleted document leaves a tombstone there."""
PORTAL_KEY = "portal/key.json"
"""The document with the secret key of the portal's forms and cookies."""
ISSUER_KEY = "trust/key.json"
"""The document with the encrypted key that signs identity tokens."""
FILE_URL_KEY = "files/key.json"
"""The document with the secret key of the URLs of files on another host."""

_DIGEST_DIGITS = 32
_CACHE_SIZE = 1024


def repository_key(name: str) -> str:
    """Return the key of a repository's document."""
    # The @ sign is there because Windows reserves file names such as "con".
    return f"{REPOSITORIES}@{name}.json"


def projects_of(repository_id: str) -> str:
    """Return the folder of a repository's project documents."""
    return f"{PROJECTS}{repository_id}/"


def project_key(repository_id: str, normalized_name: str) -> str:
    """Return the key of a project's document."""
    return f"{projects_of(repository_id)}p-{normalized_name}.json"


def project_name(file_name: str) -> str:
    """Return the normalized name of the project whose document has this file name."""
    return file_name.removeprefix("p-").removesuffix(".json")


def claims_of(repository_id: str) -> str:
    """Return the folder of a repository's claims of file names."""
    return f"{CLAIMS}{repository_id}/"


def claim_key(repository_id: str, filename: str) -> str:
    """Return the key of the document that states which project a file name belongs to."""
    # A digest, since some file systems ignore case, and all limit the length of a name.
    digest = hashlib.sha256(filename.encode()).hexdigest()
    return f"{claims_of(repository_id)}{digest[:_DIGEST_DIGITS]}.json"


def serials_of(repository_id: str) -> str:
    """Return the folder of a repository's serials."""
    return f"{SERIALS}{repository_id}/"


def serials_key(repository_id: str) -> str:
    """Return the key of the document with the serials of a repository."""
    return f"{serials_of(repository_id)}serials.json"


def used_identities_of(repository_id: str) -> str:
    """Return the folder of the identity tokens that were used for a repository."""
    return f"{USED_IDENTITIES}{repository_id}/"


def used_identity_key(repository_id: str, issuer: str, identifier: str) -> str:
    """Return the key of the document that states that an identity token was used."""
    # A digest, since a token may have any text as its identifier.
    digest = hashlib.sha256(f"{issuer}\0{identifier}".encode(errors="surrogatepass")).hexdigest()
    return f"{used_identities_of(repository_id)}{digest[:_DIGEST_DIGITS]}.json"


def activity_of(repository_id: str) -> str:
    """Return the folder of the counts of a repository's uploads and downloads."""
    return f"{ACTIVITY}{repository_id}/"


def activity_key(repository_id: str, project: str) -> str:
    """Return the key of the counts of a project, or of the repository for an empty name."""
    name = f"p-{project}" if project else "repository"
    return f"{activity_of(repository_id)}{name}.json"


def audit_key(number: int) -> str:
    """Return the key of the document with the changes whose first one has this number."""
    return f"{AUDIT}{number:015}.json"


def content_claim_key(repository_id: str, sha256: str) -> str:
    """Return the key of the document that states which file has this content."""
    return f"{claims_of(repository_id)}content-{sha256}.json"


def name_claim_key(repository_id: str, confusable_name: str) -> str:
    """Return the key of the document that states which project has a confusable name."""
    return f"{claims_of(repository_id)}name-{confusable_name}.json"


def blobs_of(repository_id: str) -> str:
    """Return the folder of a repository's blobs."""
    return f"{BLOBS}{repository_id}/"


def announcements_of(repository_id: str) -> str:
    """Return the folder of announcements that blobs of a repository will be deleted."""
    return f"{ANNOUNCEMENTS}{repository_id}/"


def is_blob(key: str) -> bool:
    """Return whether a key or a prefix of keys is in the folder of blobs."""
    return key.startswith(BLOBS)


@lru_cache(_CACHE_SIZE)
def user_key(email: str) -> str:
    """Return the key of a repository user's document."""
    # A digest, since an e-mail address may contain characters that file systems forbid.
    digest = hashlib.sha256(email.casefold().encode(errors="surrogateescape")).hexdigest()
    return f"{USERS}{digest[:_DIGEST_DIGITS]}.json"


def token_key(token_id: str) -> str:
    """Return the key of a token's document."""
    return f"{TOKENS}{token_id}.json"


def chosen_token_key(repository_id: str, value: str) -> str:
    """Return the key of the document of a token whose value was chosen."""
    digest = hashlib.sha256(f"{repository_id}\0{value}".encode()).hexdigest()
    return f"{TOKENS}chosen-{digest[:_DIGEST_DIGITS]}.json"


def session_key(session_id: str) -> str:
    """Return the key of a portal session's document."""
    return f"{SESSIONS}{session_id}.json"
