"""The files in which two archives of a project differ."""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from cloudrepo_server.specs.archive_contents import Contents, Member

Status = Literal["added", "removed", "changed", "not compared"]

_DIST_INFO = re.compile(r"[^/]+\.dist-info/")
# Before PEP 639, license files had no separate folder. setuptools finds them by these patterns.
_LICENSES = re.compile(
    r"[^/]+\.dist-info/(?:licenses/|(?=(?:LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*$))"
)
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA$")
_DATA = re.compile(r"[^/]+\.data/(purelib|platlib)/")
_OTHER_DATA = re.compile(r"[^/]+\.data/")


class MemberChange(msgspec.Struct, frozen=True):
    """A file in which two archives differ, with its path without the names of versions."""

    path: str
    status: Status
    old: Member | None
    new: Member | None


class Comparison(msgspec.Struct, frozen=True):
    """The differences of two archives, sorted by path, and the number of identical files."""

    changes: tuple[MemberChange, ...]
    identical: int

    def count(self, status: Status) -> int:
        """Return the number of changes with this status."""
        return sum(change.status == status for change in self.changes)


def compare_contents(
    old_filename: str, old: Contents, new_filename: str, new: Contents
) -> Comparison:
    """Return the files in which two archives differ.

    Files are matched by path, without the parts that contain the version: the top folder of an
    sdist, and the `.dist-info` and `.data` folders of a wheel. If only one of the archives is a
    wheel, `src/` of the sdist is left out too, and METADATA is matched with PKG-INFO.
    """
    mixed = old_filename.endswith(".whl") != new_filename.endswith(".whl")
    old_members = _by_common_path(old_filename, old.members, mixed=mixed)
    new_members = _by_common_path(new_filename, new.members, mixed=mixed)
    changes: list[MemberChange] = []
    identical = 0
    for path in sorted(old_members.keys() | new_members.keys()):
        before, after = old_members.get(path), new_members.get(path)
        status = _status(before, after, old_omitted=old.omitted, new_omitted=new.omitted)
        if status is None:
            identical += 1
        else:
            changes.append(MemberChange(path, status, before, after))
    return Comparison(tuple(changes), identical)


def _status(
    old: Member | None, new: Member | None, *, old_omitted: str | None, new_omitted: str | None
) -> Status | None:
    if old is None:
        return "added" if old_omitted is None else "not compared"
    if new is None:
        return "removed" if new_omitted is None else "not compared"
    if (old.kind, old.target) != (new.kind, new.target):
        return "changed"
    return _status_of_content(old, new) if old.kind == "file" else None


def _status_of_content(old: Member, new: Member) -> Status | None:
    if old.size != new.size:
        return "changed"
    if old.digest is None or new.digest is None:
        return "not compared"
    return None if old.digest == new.digest else "changed"


def _by_common_path(filename: str, members: Iterable[Member], *, mixed: bool) -> dict[str, Member]:
    is_wheel = filename.endswith(".whl")
    members = list(members)
    folder = "" if is_wheel else _common_folder(members)
    found: dict[str, Member] = {}
    for member in members:
        path = member.path.removeprefix("./")
        if is_wheel:
            common = _wheel_path(path, mixed=mixed)
        else:
            common = path.removeprefix(folder)
            common = common.removeprefix("src/") if mixed else common
        # Two files must not share a path, because a change of one of them would be invisible.
        if common in found and found[common].path != member.path:
            common = path
        found[common] = member
    return found


def _wheel_path(path: str, *, mixed: bool) -> str:
    if mixed:
        if _METADATA.match(path):
            return "PKG-INFO"
        path = _LICENSES.sub("", path, count=1) if _LICENSES.match(path) else path
        path = _DATA.sub("", path, count=1) if _DATA.match(path) else path
    if _DIST_INFO.match(path):
        return _DIST_INFO.sub(".dist-info/", path, count=1)
    if _OTHER_DATA.match(path):
        return _OTHER_DATA.sub(".data/", path, count=1)
    return path


def _common_folder(members: Iterable[Member]) -> str:
    folders = {member.path.removeprefix("./").partition("/")[0] + "/" for member in members}
    return folders.pop() if len(folders) == 1 else ""
