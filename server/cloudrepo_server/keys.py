"""The keys of stored objects: one folder for each kind of document, and one for blobs."""

import hashlib
from functools import lru_cache

REPOSITORIES = "repositories/"
USERS = "users/"
TOKENS = "tokens/"
SESSIONS = "sessions/"
PROJECTS = "projects/"
BLOBS = "blobs/"

DOCUMENTS = (REPOSITORIES, USERS, TOKENS, SESSIONS, PROJECTS)
"""The folders of documents that a deletion leaves a tombstone of."""
PORTAL_KEY = "portal/key.json"

_DIGITS = 32
_CACHED = 1024


def repository_key(name: str) -> str:
    """Return the key of a repository's document."""
    # The sign, since Windows reserves names such as "con".
    return f"{REPOSITORIES}@{name}.json"


def projects_of(repository_id: str) -> str:
    """Return the folder of the documents of a repository's projects."""
    return f"{PROJECTS}{repository_id}/"


def project_key(repository_id: str, normalized_name: str) -> str:
    """Return the key of a project's document."""
    return f"{projects_of(repository_id)}p-{normalized_name}.json"


def project_name(listed: str) -> str:
    """Return the normalized project name of the last part of a project's key."""
    return listed.removeprefix("p-").removesuffix(".json")


def blobs_of(repository_id: str) -> str:
    """Return the folder of a repository's blobs."""
    return f"{BLOBS}{repository_id}/"


def is_blob(key: str) -> bool:
    """Return whether a key, or the beginning of one, is in the folder of blobs."""
    return key.startswith(BLOBS)


@lru_cache(_CACHED)
def user_key(email: str) -> str:
    """Return the key of a repository user's document."""
    # A digest, since an address may hold what a file system forbids.
    digest = hashlib.sha256(email.casefold().encode(errors="surrogateescape")).hexdigest()
    return f"{USERS}{digest[:_DIGITS]}.json"


def token_key(token_id: str) -> str:
    """Return the key of a token's document."""
    return f"{TOKENS}{token_id}.json"


def session_key(session_id: str) -> str:
    """Return the key of a portal session's document."""
    return f"{SESSIONS}{session_id}.json"
