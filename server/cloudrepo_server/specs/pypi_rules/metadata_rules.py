"""The rules of the metadata: what each requires, and how to correct a release that breaks it."""

from typing import Final

from cloudrepo_server.specs.pypi_rules.rule import CORE_METADATA, Finding, Rule, source

_SECTION: Final = "The metadata"
_SEE: Final = f" See {CORE_METADATA} for more information."
_SEE_VERSIONS: Final = (
    " See https://packaging.python.org/en/latest/specifications/version-specifiers/"
    "#local-version-identifiers for more information."
)
# The library packaging determines the text of the message.
_LIBRARY: Final = "{text}{full_stop}" + _SEE
_PARSE: Final = source("forklift/metadata.py#L56")


def _library_rule(name: str, requires: str, advice: str, *, path: str = _PARSE) -> Rule:
    return Rule(
        name=name,
        section=_SECTION,
        requires=requires,
        message=_LIBRARY,
        problem="{text}",
        advice=advice,
        source=path,
    )


FIELD_DATA = Rule(
    name="field-structure",
    section=_SECTION,
    requires=(
        "A field that may occur only once is not repeated, "
        "and no two `Project-URL` have the same label."
    ),
    message="{field!r} has invalid data." + _SEE,
    problem="the field {field!r} is repeated or malformed",
    advice="give the field once",
    source=source("forklift/metadata.py#L382"),
)
FIELD_VERSION = _library_rule(
    "field-version",
    "Each field exists in the metadata version that the release declares.",
    "upgrade the build backend, so that it writes a later Metadata-Version",
)
METADATA_VERSION = _library_rule(
    "metadata-version",
    "`Metadata-Version` is 1.0, 1.1, 1.2, 2.1, 2.2, 2.3, 2.4 or 2.5.",
    "upgrade the build backend, or choose an earlier version that it can write",
    path=source("forklift/metadata.py#L99"),
)
VERSION = _library_rule(
    "version",
    "`Version` is a valid version (PEP 440).",
    "use a version such as 1.0 or 2.1rc1",
)
LOCAL_VERSION = Rule(
    name="local-version",
    section=_SECTION,
    requires="`Version` has no local part, such as `+dirty`.",
    message="The use of local versions in '{version}' is not allowed." + _SEE_VERSIONS,
    problem="the version {version} has a local part",
    advice="release a version without '+', such as from a tagged commit",
    source=source("forklift/metadata.py#L113"),
)
SUMMARY_LINE = _library_rule(
    "summary-line",
    "`Summary` is one line.",
    "shorten the summary to one line",
)
SUMMARY_LENGTH = Rule(
    name="summary-length",
    section=_SECTION,
    requires="`Summary` has at most 512 characters.",
    message="'summary' field must be {limit} characters or less." + _SEE,
    problem="Summary has {length} characters; the limit is {limit}",
    advice="shorten it, and move the rest to the description",
    source=source("forklift/metadata.py#L127"),
)
EMAIL = Rule(
    name="email",
    section=_SECTION,
    requires="`Author-email` and `Maintainer-email` are valid e-mail addresses.",
    message="{address!r} is not a valid email address: {error}" + _SEE,
    problem="the address {address!r} in {field} is invalid: {error}",
    advice="correct the address, or leave it out",
    source=source("forklift/metadata.py#L147"),
)
CLASSIFIER = Rule(
    name="classifier",
    section=_SECTION,
    requires=(
        "Each `Classifier` is in PyPI's list, which has none that begins with `Private ::`. "
        "Projects use such a classifier so that PyPI rejects an accidental upload."
    ),
    message="{classifier!r} is not a valid classifier." + _SEE,
    problem="classifier {classifier!r} is unknown",
    advice="{suggestion}",
    source=source("forklift/metadata.py#L162"),
)
DEPRECATED_CLASSIFIER = Rule(
    name="deprecated-classifier",
    section=_SECTION,
    requires="No `Classifier` is deprecated.",
    message="The classifier {classifier!r} has been deprecated{instead}." + _SEE,
    problem="classifier {classifier!r} is deprecated",
    advice="{suggestion}",
    source=source("forklift/metadata.py#L171"),
)
URL = Rule(
    name="url",
    section=_SECTION,
    requires="`Home-page` and `Download-URL` are http or https URLs.",
    message="{url!r} is not a valid url." + _SEE,
    problem="{field} {url!r} is not an http or https URL",
    advice="begin it with https://",
    source=source("forklift/metadata.py#L192"),
)
PROJECT_URL = Rule(
    name="project-url",
    section=_SECTION,
    requires=("Each `Project-URL` has a label of 1 to 32 characters, and an http or https URL."),
    message="{text}." + _SEE,
    problem="Project-URL {label!r}: {text}",
    advice="use a short label and a URL that begins with https://",
    source=source("forklift/metadata.py#L206"),
)
REQUIRES_DIST = _library_rule(
    "requires-dist",
    "Each `Requires-Dist` is a valid requirement (PEP 508).",
    "correct the requirement, such as 'requests>=2; python_version<\"3.13\"'",
)
PROVIDES = Rule(
    name="provides-dist",
    section=_SECTION,
    requires="Each `Provides-Dist` and `Obsoletes-Dist` is a valid requirement.",
    message="{value!r} is invalid: {error}." + _SEE,
    problem="{field} {value!r} is invalid",
    advice="correct it, or leave it out: installers ignore it",
    source=source("forklift/metadata.py#L222"),
)
DIRECT_REFERENCE = Rule(
    name="direct-reference",
    section=_SECTION,
    requires="No requirement is a direct reference, such as `demo @ https://…`.",
    message="Can't have direct dependency: {requirement}." + _SEE,
    problem="{field} has the direct reference {requirement}",
    advice="require a version that is on the index",
    source=source("forklift/metadata.py#L246"),
)
PROVIDES_EXTRA = _library_rule(
    "provides-extra",
    "The name of each extra is valid.",
    "use letters, digits, '.', '_' and '-'",
)
REQUIRES_PYTHON = _library_rule(
    "requires-python",
    "`Requires-Python` is a valid version specifier.",
    "use a specifier such as '>=3.11'",
)
DYNAMIC = _library_rule(
    "dynamic",
    "`Dynamic` names fields that exist and may be dynamic.",
    "correct the name of the field",
    path=source("forklift/metadata.py#L263"),
)
LICENSES = Rule(
    name="two-licenses",
    section=_SECTION,
    requires="`License` and `License-Expression` are not both given.",
    message=(
        "License is deprecated when License-Expression is present. "
        "Only License-Expression should be present." + _SEE
    ),
    problem="both License and License-Expression are given",
    advice="leave out License",
    source=source("forklift/metadata.py#L276"),
)
LICENSE_EXPRESSION = _library_rule(
    "license-expression",
    "`License-Expression` is a valid SPDX expression.",
    "use an expression such as 'MIT OR Apache-2.0'",
)
LICENSE_FILE_PATH = _library_rule(
    "license-file-path",
    "Each `License-File` is a relative path with slashes, and without `..` and `*`.",
    "upgrade the build backend, which writes these paths",
)
CONTENT_TYPE = _library_rule(
    "description-content-type",
    "`Description-Content-Type` is `text/plain`, `text/x-rst`, or `text/markdown` (GFM or "
    "CommonMark), in UTF-8.",
    "use text/markdown or text/x-rst",
)
IMPORT_NAME = _library_rule(
    "import-name",
    "Each `Import-Name` and `Import-Namespace` is a dotted Python name.",
    "use names that Python can import",
)
DESCRIPTION = Rule(
    name="description",
    section=_SECTION,
    requires=(
        "The description can be rendered; without a content type it is reStructuredText. "
        "PyPI checks this after the rules of the project."
    ),
    message="The description failed to render {how}.",
    problem="the description cannot be rendered {how}",
    advice="{advice}",
    source=source("forklift/legacy.py#L899"),
)

RULES = (
    FIELD_DATA,
    FIELD_VERSION,
    METADATA_VERSION,
    VERSION,
    LOCAL_VERSION,
    EMAIL,
    CLASSIFIER,
    DEPRECATED_CLASSIFIER,
    CONTENT_TYPE,
    URL,
    DYNAMIC,
    IMPORT_NAME,
    LICENSES,
    LICENSE_EXPRESSION,
    LICENSE_FILE_PATH,
    PROJECT_URL,
    PROVIDES,
    PROVIDES_EXTRA,
    REQUIRES_DIST,
    DIRECT_REFERENCE,
    REQUIRES_PYTHON,
    SUMMARY_LINE,
    SUMMARY_LENGTH,
)

OF_FIELD = {
    "metadata-version": METADATA_VERSION,
    "version": VERSION,
    "summary": SUMMARY_LINE,
    "description-content-type": CONTENT_TYPE,
    "dynamic": DYNAMIC,
    "import-name": IMPORT_NAME,
    "import-namespace": IMPORT_NAME,
    "license-expression": LICENSE_EXPRESSION,
    "license-file": LICENSE_FILE_PATH,
    "provides-extra": PROVIDES_EXTRA,
    "requires-dist": REQUIRES_DIST,
    "requires-python": REQUIRES_PYTHON,
}
"""The rule that is broken if the library packaging rejects a field."""


def description_broken(content_type: str) -> Finding:
    """Return the finding that a description of this content type cannot be rendered."""
    if content_type:
        how, advice = f"for '{content_type}'", "correct its markup"
    else:
        how = "in the default format of reStructuredText"
        advice = "set the content type (text/markdown for a README.md), or correct its markup"
    return DESCRIPTION.broken(how=how, advice=advice)
