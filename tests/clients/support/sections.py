"""The sections of the table."""

from typing import Final

UPLOADS: Final = "Uploads"

WORDS: Final = {
    UPLOADS: (
        "`demo` 1.0, a wheel and an sdist, is uploaded; then other bytes under the same names, "
        "with and without overwrite protection, and with the flag by which a client passes over "
        "what is there already."
    ),
}
"""What each section is about, in their order."""
