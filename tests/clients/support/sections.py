"""The sections of the table."""

from typing import Final

UPLOADS: Final = "Uploads"
INSTALLS: Final = "Installs"

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
}
"""What each section is about, in their order."""
