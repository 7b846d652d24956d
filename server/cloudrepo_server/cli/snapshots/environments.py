"""The environments for which a snapshot is made: versions of CPython on platforms."""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache, cached_property
from typing import Final

import msgspec
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags

PYTHON: Final = re.compile(r"3\.\d{1,3}(\.\d{1,3})?", re.ASCII)
"""The versions of Python that an environment can have."""

_LATEST_PATCH: Final = 999
# packaging's functions need a platform, which is not used.
_ANY: Final = "any"


class Platform(msgspec.Struct, frozen=True):
    """An operating system and a processor."""

    name: str
    tags: str
    """A regular expression for the platform tags of wheels."""
    os_name: str
    sys_platform: str
    system: str
    machine: str


def _linux(machine: str) -> Platform:
    tags = rf"(manylinux\w*|musllinux\w*|linux)_{machine}"
    return Platform(f"linux-{machine}", tags, "posix", "linux", "Linux", machine)


def _macos(machine: str, universal: str) -> Platform:
    tags = rf"macosx_\d+_\d+_({machine}|{universal})"
    return Platform(f"macos-{machine}", tags, "posix", "darwin", "Darwin", machine)


def _windows(name: str, tag: str, machine: str) -> Platform:
    return Platform(f"windows-{name}", tag, "nt", "win32", "Windows", machine)


PLATFORMS: Final = {
    platform.name: platform
    for platform in (
        _linux("x86_64"),
        _linux("aarch64"),
        _macos("arm64", "universal2"),
        _macos("x86_64", "universal2|intel|fat64|fat3|universal"),
        _windows("x86_64", "win_amd64", "AMD64"),
        _windows("arm64", "win_arm64", "ARM64"),
        _windows("x86", "win32", "x86"),
    )
}
"""The platforms by name."""


class Environment(msgspec.Struct, frozen=True, dict=True):
    """A full version of CPython on a platform."""

    python: str
    platform: Platform

    def accepts_wheel(self, tags: Iterable[Tag]) -> bool:
        """Return whether a wheel with one of these tags can be installed."""
        return any(
            (tag.interpreter, tag.abi) in self._python_tags and self._accepts_platform(tag.platform)
            for tag in tags
        )

    def accepts_python(self, requires_python: SpecifierSet) -> bool:
        """Return whether a Requires-Python allows the version."""
        return requires_python.contains(self.python, prereleases=True)

    def applies(self, marker: str, extras: Collection[str]) -> bool:
        """Return whether a marker is true, without an extra or with one of the given extras."""
        parsed = Marker(marker)
        return any(parsed.evaluate({**self._markers, "extra": extra}) for extra in ("", *extras))

    @cached_property
    def _python_tags(self) -> frozenset[tuple[str, str]]:
        major, minor, _ = map(int, self.python.split("."))
        version, interpreter = (major, minor), f"cp{major}{minor}"
        tags = (
            *cpython_tags(version, [interpreter], [_ANY]),
            *compatible_tags(version, interpreter, [_ANY]),
        )
        return frozenset((tag.interpreter, tag.abi) for tag in tags)

    def _accepts_platform(self, tag: str) -> bool:
        return tag == "any" or _matches(self.platform.tags, tag)

    @cached_property
    def _markers(self) -> dict[str, str]:
        platform = self.platform
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python,
            "os_name": platform.os_name,
            "platform_machine": platform.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": platform.system,
            "platform_version": "",
            "python_full_version": self.python,
            "python_version": self.python.rpartition(".")[0],
            "sys_platform": platform.sys_platform,
        }


@cache
def _matches(pattern: str, tag: str) -> bool:
    return re.fullmatch(pattern, tag) is not None


def environments(pythons: Iterable[str], platforms: Iterable[str]) -> Iterator[Environment]:
    """Yield the environment of each version on each platform.

    A version without a patch number stands for its first and for a very late patch release, because
    a release may require a later patch release than the first.
    """
    chosen = [PLATFORMS[name] for name in platforms]
    for python in pythons:
        is_full = python.count(".") > 1
        for version in (python,) if is_full else (f"{python}.0", f"{python}.{_LATEST_PATCH}"):
            for platform in chosen:
                yield Environment(version, platform)
