"""The platform tags of wheels that PyPI accepts."""

import re
from typing import Final

_X86: Final = ("x86_64", "i686")
_MANYLINUX_2014: Final = (*_X86, "aarch64", "armv7l", "ppc64", "ppc64le", "s390x")
_LINUX: Final = (*_X86, "aarch64", "armv7l", "ppc64le", "s390x", "riscv64")
_MACOS: Final = (
    *("x86_64", "arm64", "i386", "intel", "ppc", "ppc64"),
    *("universal", "universal2", "fat", "fat3", "fat64"),
)
_MACOS_RELEASES: Final = ("11", "12", "13", "14", "15", "26")


def _one_of(texts: tuple[str, ...]) -> str:
    return f"({'|'.join(texts)})"


_ACCEPTED = (
    "any",
    "win(32|_amd64|_arm64|_ia64)",
    f"manylinux(1|2010)_{_one_of(_X86)}",
    f"manylinux2014_{_one_of(_MANYLINUX_2014)}",
    rf"manylinux_\d+_\d+_{_one_of((*_LINUX, 'ppc64'))}",
    rf"musllinux_\d+_\d+_{_one_of(_LINUX)}",
    "linux_(armv6l|armv7l)",
    rf"macosx_10_\d+_{_one_of(_MACOS)}",
    f"macosx_{_one_of(_MACOS_RELEASES)}_0_{_one_of(_MACOS)}",
    r"ios_\d+_\d+_(arm64|x86_64)_(iphoneos|iphonesimulator)",
    r"android_\d+_(armeabi_v7a|arm64_v8a|x86|x86_64)",
    r"pyemscripten_\d+_\d+_wasm32",
)
_TAG = re.compile("|".join(_ACCEPTED), re.ASCII)
_ADVICE = (
    ("linux", "build a manylinux or musllinux wheel (auditwheel, cibuildwheel)"),
    ("macosx", "build for macosx_10_* or a later macosx_*_0 (delocate, cibuildwheel)"),
    ("win", "build for win32, win_amd64 or win_arm64"),
)


def is_accepted(tag: str) -> bool:
    """Return whether PyPI accepts wheels with this platform tag."""
    return _TAG.fullmatch(tag) is not None


def advice(tag: str) -> str:
    """Return how to build a wheel whose platform tag is accepted instead of this one."""
    fallback = "build for a platform that PyPI accepts, or publish only the sdist"
    return next((text for prefix, text in _ADVICE if tag.startswith(prefix)), fallback)
