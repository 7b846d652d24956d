"""The sections of docs/clients.md, in their order."""

from typing import Final

UPLOADS: Final = "Uploads"
INSTALLS: Final = "Installs"
UPLOAD_CREDENTIALS: Final = "Credentials for uploads"
INSTALL_CREDENTIALS: Final = "Credentials for installs"
OTHER_HOSTS: Final = "Logins and other hosts"
DIGESTS: Final = "Wrong digests"
CACHES: Final = "Cached pages"
OTHER_LOGINS: Final = "Expired tokens, client certificates and no login"
TRUSTED_PUBLISHING: Final = "Trusted publishing"
INSTALLS_FROM_DIALECTS: Final = "Installs from other dialects"
REGISTRIES: Final = "Rejections in other dialects"
MIGRATE: Final = "CloudRepo's own client"

INTRODUCTIONS: Final = {
    UPLOADS: (
        "The client uploads `demo` 1.0, a wheel and an sdist. Then it uploads files with the same "
        "names again, with the same or different content, with and without overwrite protection, "
        "and with its option to skip existing files. It also uploads as a read-only user, and with "
        "a wrong passphrase."
    ),
    INSTALLS: (
        "The client installs `app[more]` 1.0. `app` requires `base`, and its extra `more` requires "
        "the project `extra`. `base` 2.0 requires a Python that does not exist yet, and `base` 1.1 "
        "is yanked. A client that supports both properties must choose `base` 1.0."
    ),
    UPLOAD_CREDENTIALS: (
        "A user uploads `demo` 1.0. The user name and the passphrase contain "
        "``@ / # ? + & = %41 é`` and a space. The passphrase also contains a colon, which a user "
        'name cannot contain. "Login succeeds" means that every character arrives unchanged.'
    ),
    INSTALL_CREDENTIALS: "A user with the same special characters installs `base` 1.0.",
    OTHER_HOSTS: (
        "The client installs `base` 1.0. The files are on another host than the index: pages link "
        "to it, or the index redirects to signed URLs on it. Or the index redirects a page to "
        "another host. The client must send the login to the index only."
    ),
    DIGESTS: (
        "The client installs `base` 1.0 from a page that lists one wrong digest for each file. The "
        "setting `digests` says which digest pages list. A client that installs the file has not "
        "compared this digest. uv 0.13.9 rejects every page that lists blake2b, "
        "because it expects 256 bits instead of 512."
    ),
    CACHES: (
        "The client has a cache, and installs `base` 1.0 twice. The setting `page_max_age` allows "
        "it to keep a page for ten minutes. Without the setting, the client must request the page "
        "again, and may ask whether it has changed. All requests use HTTPS, because pip keeps "
        "nothing that it receives over HTTP."
    ),
    OTHER_LOGINS: (
        "The client installs `base` 1.0, or uploads `demo` 1.0, in one of three situations. Its "
        "token has expired, or the server requires a client certificate (mutual TLS), or the "
        "client has no login and everybody may read the repository."
    ),
    TRUSTED_PUBLISHING: (
        "A job on GitHub Actions uploads `demo` 1.0 to the client's default URL. The client has "
        "no credentials. It exchanges the identity of the job for a token. `pypi-publish` is the "
        "publishing action of the Python Packaging Authority, outside of its container."
    ),
    INSTALLS_FROM_DIALECTS: (
        "The client installs `base` 1.0 from a repository that imitates the pages and files of "
        "another registry, as its `dialect` says."
    ),
    REGISTRIES: (
        "The client uploads different content under the file names of `demo` 1.0, with "
        "`--skip-existing`. The repository imitates another registry, as its `dialect` says, and "
        "rejects the files as that registry does. A client that recognizes that rejection skips "
        "the files. twine does not recognize the text that Nexus has since its version 3.70. "
        "Cloudsmith accepts the files and discards them later, so no client can skip them."
    ),
    MIGRATE: (
        "The functions of `cloudrepo-migrate` check the token and the repository, upload a file, "
        "download it again and search for it in the index."
    ),
}
"""The introduction of each section."""
