"""The differences of the files of two archives, as a page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.text_differences import TextDifferences
from cloudrepo_server.errors import BusyError
from cloudrepo_server.limits import DIFFERENCE_SECONDS, MAX_DIFFERENCE_LINES, MAX_SHOWN_TEXT
from cloudrepo_server.models import File
from cloudrepo_server.specs.archive_comparison import MemberChange
from cloudrepo_server.specs.archive_contents import Member
from cloudrepo_server.web.portal.archives import Archives
from cloudrepo_server.web.portal.shown_text import decode_text, visible

_MAX_CHARACTERS = 512 << 10
_NOT_READ = "Not compared: the limits of this page were reached, or the file is damaged."
_CLASSES = {"+": "added", "-": "removed", "@": "position"}


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A change with the difference of its texts.

    Attributes:
        change: the change.
        lines: the lines of a unified diff, each with its CSS class.
        note: why there is no difference, or what was left out of it.
        is_deferred: whether the page of this change alone shows its difference.
    """

    change: MemberChange
    lines: Sequence[tuple[str, str]] = ()
    note: str = ""
    is_deferred: bool = False


async def show_changes(
    archives: Archives,
    differences: TextDifferences,
    repository: Repository,
    files: tuple[File, File],
    changes: Sequence[MemberChange],
) -> list[ShownChange]:
    """Return changes of two archives with the differences of their texts.

    All of them together take `DIFFERENCE_SECONDS` at most, besides reading the archives.

    Raises:
        InvalidError: an archive cannot be read.
        BusyError: too many other archives wait to be read.
        StorageError: an archive was deleted, or the store did not respond.
    """
    comparable = [change for change in changes if _note(change) is None]
    old_paths = [change.old.path for change in comparable if change.old is not None]
    new_paths = [change.new.path for change in comparable if change.new is not None]
    old = await archives.members(repository, files[0], old_paths)
    new = await archives.members(repository, files[1], new_paths)
    end = monotonic() + DIFFERENCE_SECONDS
    characters = _MAX_CHARACTERS
    shown: list[ShownChange] = []
    for change in changes:
        note = _note(change)
        if note is not None:
            shown.append(ShownChange(change, note=note))
            continue
        found = await _difference(
            differences, change, _content(old, change.old), _content(new, change.new), end
        )
        size = sum(len(line) for _, line in found.lines)
        if size > characters and any(each.lines for each in shown):
            found = ShownChange(change, is_deferred=True)
        else:
            characters -= size
        shown.append(found)
    return shown


def _note(change: MemberChange) -> str | None:
    """Return why the texts cannot be compared, or None."""
    old, new = change.old, change.new
    if change.status == "not compared":
        return _NOT_READ
    if old is None or new is None:
        return ""
    if (old.kind, old.target) != (new.kind, new.target):
        return f"{_description(old)} became {_description(new)}."
    if not (old.can_be_read and new.can_be_read):
        return "Not compared: the path is too long, or not UTF-8."
    if max(old.size, new.size) > MAX_SHOWN_TEXT:
        return (
            "The content differs. The lines are not compared: the file is larger than "
            f"{MAX_SHOWN_TEXT >> 10} KiB."
        )
    return None


def _description(member: Member) -> str:
    return f"{member.kind} to {visible(member.target)}" if member.target else member.kind


def _content(contents: dict[str, bytes], member: Member | None) -> bytes | None:
    return None if member is None else contents.get(member.path)


async def _difference(
    differences: TextDifferences,
    change: MemberChange,
    old: bytes | None,
    new: bytes | None,
    end: float,
) -> ShownChange:
    if old is None or new is None:
        return ShownChange(change, note=_NOT_READ)
    before, after = decode_text(old), decode_text(new)
    if before is None or after is None:
        return ShownChange(change, note="The content differs. It is not UTF-8 text.")
    before, after = _same_line_endings(before, after)
    if before == after:
        return ShownChange(change, note="Only line endings or a byte order mark differ.")
    seconds = end - monotonic()
    try:
        found = await differences.compare(before, after, seconds=seconds) if seconds > 0 else None
    except BusyError as error:
        return ShownChange(change, note=str(error), is_deferred=True)
    if found is None:
        note = "The content differs. Comparing its lines takes too long."
        return ShownChange(change, note=note, is_deferred=seconds < DIFFERENCE_SECONDS / 2)
    lines = [(_CLASSES.get(line[:1], "same"), visible(line)) for line in found.lines]
    note = f"Only the first {MAX_DIFFERENCE_LINES:,} lines are shown." if found.is_cut else ""
    return ShownChange(change, lines, note)


def _same_line_endings(old: str, new: str) -> tuple[str, str]:
    if ("\r\n" in old) == ("\r\n" in new):
        return old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
    without = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
    return without if without[0] == without[1] else (old, new)
