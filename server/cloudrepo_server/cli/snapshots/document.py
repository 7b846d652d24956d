"""The file of a snapshot: TOML, in the format of dependency graphs of pytest-cloudrepo.

Its reader is in the plugin, which publishes such graphs.
"""

import gzip
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cloudrepo_server.cli.snapshots.closure import Closure, Distribution, Options
from cloudrepo_server.cli.snapshots.metadata import Metadata

_FORMAT: Final = 1
_BARE_KEY: Final = re.compile(r"[\w-]+", re.ASCII)
_GZIP: Final = ".gz"
_HEADER: Final = """\
# A snapshot of a package index, made by `cloudrepo-server snapshot`.
# Load it in a test with `cloudrepo.load_snapshot(path)`.
"""


def render(
    closure: Closure,
    options: Options,
    *,
    index: str,
    pythons: Sequence[str],
    platforms: Sequence[str],
) -> str:
    """Return the text of a snapshot's file.

    Args:
        closure: the releases.
        options: how they were found.
        index: the name or URL of the index, without credentials.
        pythons: the versions of Python.
        platforms: the names of the platforms.
    """
    snapshot = {
        "format": _FORMAT,
        "index": index,
        "requirements": [str(requirement) for requirement in options.requirements],
        "exclude_newer": options.exclude_newer,
        "pythons": list(pythons),
        "platforms": list(platforms),
        "versions": options.versions,
        "prereleases": options.prereleases,
        "left_out": closure.left_out,
    }
    tables = [_table("snapshot", snapshot, long_lists=True)]
    for project, versions in closure.releases.items():
        for version, distributions in versions.items():
            tables.append(_table(f'packages.{_key(project)}."{version}"', _release(distributions)))
    return "\n".join([_HEADER, *tables])


def write(text: str, path: Path) -> None:
    """Write a snapshot's file, compressed if its name ends with `.gz`.

    Raises:
        OSError: the file cannot be written.
    """
    content = text.encode()
    if path.suffix == _GZIP:
        # Without a time in its header, the file of an equal snapshot has the same content.
        content = gzip.compress(content, mtime=0)
    path.write_bytes(content)


def _release(distributions: Sequence[Distribution]) -> dict[str, Any]:
    """Return the details of a release. Each file lists what differs from the first file."""
    details = [_details(distribution) for distribution in distributions]
    common = dict(details[0])
    if any(own["upload_time"] is None for own in details):
        # A file cannot state that it has no upload time, if its release has one.
        common["upload_time"] = None
    release = {key: value for key, value in common.items() if value}
    release["distributions"] = {
        distribution.filename: {key: own[key] for key in own if own[key] != common[key]}
        for distribution, own in zip(distributions, details, strict=True)
    }
    return release


def _details(distribution: Distribution) -> dict[str, Any]:
    metadata: Metadata = distribution.metadata
    return {
        "requires": list(metadata.requires),
        "requires_python": metadata.requires_python or "",
        # The requirements of the extras have markers, and are listed with the others.
        "extras": {extra: [] for extra in metadata.extras},
        "yanked": _yanked(distribution.yanked),
        "upload_time": distribution.upload_time,
    }


def _yanked(reason: str | None) -> bool | str:
    if reason is None:
        return False
    return reason or True


def _table(name: str, values: Mapping[str, Any], *, long_lists: bool = False) -> str:
    lines = [f"[{name}]"]
    for key, value in values.items():
        is_long = isinstance(value, list) and len(value) > 1 and (long_lists or key == "requires")
        lines.append(f"{_key(key)} = {_lines(value) if is_long else _value(value)}")
    return "\n".join(lines) + "\n"


def _lines(values: Iterable[Any]) -> str:
    return "[\n" + "".join(f"    {_value(value)},\n" for value in values) + "]"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        members = ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items())
        return f"{{ {members} }}" if members else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        return _string(value)
    return json.dumps(value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    # A string of JSON is a string of TOML, except for DEL and surrogates.
    text = text.encode("utf-8", "replace").decode()
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
