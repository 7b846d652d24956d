"""The sections of the table."""

from typing import Final

UPLOADS: Final = "Uploads"
INSTALLS: Final = "Installs"
UPLOADING_CREDENTIALS: Final = "Credentials of uploads"
READING_CREDENTIALS: Final = "Credentials of installs"
REGISTRIES: Final = "Other registries' refusals"
MIGRATE: Final = "CloudRepo's own client"

WORDS: Final = {
    UPLOADS: (
        "`demo` 1.0, a wheel and an sdist, is uploaded; then other bytes under the same names, "
        "with and without overwrite protection, and with the flag by which a client passes over "
        "what is there already."
    ),
    INSTALLS: (
        "`app[more]` 1.0 is installed, which requires `base`, and `extra` for its extra. `base` "
        "2.0 is for Pythons that there are not yet, and 1.1 is yanked, so 1.0 is what fits."
    ),
    UPLOADING_CREDENTIALS: (
        "`demo` 1.0 is uploaded by a user in whose name and passphrase stand "
        "``@ / # ? + & = %41 é`` and a blank, and in the passphrase a colon, which a user name "
        "cannot have."
    ),
    READING_CREDENTIALS: "`base` 1.0 is read by such a user.",
    REGISTRIES: (
        "Other bytes under the names of `demo` 1.0, with `--skip-existing`, at a repository that "
        "refuses as another registry does. A client passes over what it knows for a refusal of "
        "that kind."
    ),
    MIGRATE: (
        "The functions of `cloudrepo-migrate` check the token and the repository, upload, read "
        "back and look for the file in the index."
    ),
}
"""What each section is about, in their order."""
