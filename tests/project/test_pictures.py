"""The pictures of the documentation show what happens today."""

from docs.pictures import PICTURE, comparable, terminal_text, text_of


def test_the_picture_of_a_failure_report_shows_what_pytest_prints() -> None:
    shown = text_of(PICTURE.read_text("utf-8"))
    printed = comparable(terminal_text())
    assert "409 File already exists" in shown
    assert shown == printed, "run `python docs/pictures.py` to draw the picture again"
