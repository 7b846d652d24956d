"""The portal tour in the documentation shows the pictures that the browser tests take."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from tests.support.portal.tour import PICTURES, SIGN_IN, Picture

DOCS = Path(__file__).parents[3] / "docs"
FOLDER = DOCS / "images" / "portal"
ALL = (SIGN_IN, *PICTURES)
MAX_BYTES = 120_000


def test_the_page_shows_every_picture_of_the_browser_tests_and_no_other() -> None:
    page = (DOCS / "portal-tour.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(images/portal/([\w-]+)\.png\)", page)
    assert sorted(shown) == sorted(picture.name for picture in ALL)
    assert page.count("![") == len(shown)


def test_the_folder_contains_only_the_pictures() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{picture.name}.png" for picture in ALL}


@pytest.mark.parametrize("picture", ALL, ids=lambda picture: str(picture.name))
def test_a_picture_is_small_and_has_the_width_of_the_browser_window(picture: Picture) -> None:
    data = (FOLDER / f"{picture.name}.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(data) < MAX_BYTES
    # The header chunk follows the signature: length, type, width, height.
    width, height = struct.unpack(">II", data[16:24])
    assert width == picture.width
    assert height <= picture.max_height
