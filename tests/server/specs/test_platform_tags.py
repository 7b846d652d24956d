"""The platform tags of wheels that PyPI accepts."""

from __future__ import annotations

import pytest

from cloudrepo_server.specs.pypi_rules.platform_tags import advice, is_accepted

ACCEPTED = """
any
win32 win_amd64 win_arm64 win_ia64
manylinux1_x86_64 manylinux1_i686 manylinux2010_x86_64 manylinux2010_i686
manylinux2014_x86_64 manylinux2014_i686 manylinux2014_aarch64 manylinux2014_armv7l
manylinux2014_ppc64 manylinux2014_ppc64le manylinux2014_s390x
manylinux_2_17_x86_64 manylinux_2_28_i686 manylinux_2_28_aarch64 manylinux_2_31_armv7l
manylinux_2_28_ppc64le manylinux_2_28_s390x manylinux_2_39_riscv64 manylinux_2_28_ppc64
musllinux_1_1_x86_64 musllinux_1_2_i686 musllinux_1_2_aarch64 musllinux_1_2_armv7l
musllinux_1_2_ppc64le musllinux_1_2_s390x musllinux_1_2_riscv64
linux_armv6l linux_armv7l
macosx_10_9_x86_64 macosx_10_12_universal2 macosx_10_4_ppc macosx_10_5_ppc64 macosx_10_6_i386
macosx_10_6_intel macosx_10_6_fat macosx_10_6_fat3 macosx_10_6_fat64 macosx_10_6_universal
macosx_11_0_arm64 macosx_12_0_x86_64 macosx_13_0_arm64 macosx_14_0_arm64 macosx_15_0_universal2
macosx_26_0_arm64
ios_13_0_arm64_iphoneos ios_13_0_arm64_iphonesimulator ios_13_0_x86_64_iphonesimulator
android_21_armeabi_v7a android_21_arm64_v8a android_24_x86 android_24_x86_64
pyemscripten_2025_0_wasm32
"""
REJECTED = """
linux_x86_64 linux_i686 linux_aarch64 linux_armv8l win64 win_arm32
manylinux1_aarch64 manylinux2010_aarch64 manylinux2014_riscv64 manylinux_2_28_loongarch64
manylinux_2_x86_64 manylinux_x86_64 musllinux_1_2_ppc64 musllinux_1_x86_64
macosx_11_1_arm64 macosx_16_0_arm64 macosx_27_0_arm64 macosx_10_arm64 macosx_11_0_mips
macosx_9_0_ppc ios_13_0_armv7_iphoneos ios_13_arm64_iphoneos android_21_mips android_x86_64
emscripten_3_1_wasm32 pyodide_2024_0_wasm32 pyemscripten_2025_0_wasm64 freebsd_14_amd64
"""


@pytest.mark.parametrize("tag", ACCEPTED.split())
def test_the_platform_tag_is_accepted(tag: str) -> None:
    assert is_accepted(tag)


@pytest.mark.parametrize("tag", REJECTED.split())
def test_the_platform_tag_is_rejected_with_advice(tag: str) -> None:
    assert not is_accepted(tag)
    is_plain_linux = tag.startswith("linux_")
    assert advice(tag).startswith("build a manylinux" if is_plain_linux else "build for ")
