"""READMEs are rendered in a process of their own, which is killed if it takes too long."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cloudrepo_server.domain.readme_process import ReadmeProcess
from tests.support.platforms import NEEDS_MARKDOWN, needs_posix

HOSTILE = {
    "nested elements": ("<div>" * 52_000, "text/markdown"),
    "nested quotes": (">" * 250_000, "text/markdown"),
    "nested rst": ("".join(" " * depth + "* x\n\n" for depth in range(700)), "text/x-rst"),
    "unclosed links": ("[a](" * 60_000, "text/markdown"),
    "unclosed rst": ("`a *b " * 40_000, "text/x-rst"),
}
"""Each README fits into a few hundred bytes of an archive."""


@NEEDS_MARKDOWN
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_readme_ends_in_time_and_the_next_one_is_rendered(name: str) -> None:
    async def run() -> None:
        process = ReadmeProcess(seconds=2)
        started = time.monotonic()
        await process.render(*HOSTILE[name])
        assert time.monotonic() - started < 15
        process._seconds = 60  # noqa: SLF001
        rendered = await process.render("some *words*", "text/markdown")
        assert "<em>words</em>" in (rendered.html or "")
        await process.close()

    asyncio.run(run())


@needs_posix("limits of memory")
def test_readmes_are_rendered_where_memory_cannot_be_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on macOS.
    (tmp_path / "sitecustomize.py").write_text("""
import resource

def setrlimit(*_):
    raise ValueError("current limit exceeds maximum limit")

resource.setrlimit = setrlimit
""")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def run() -> None:
        process = ReadmeProcess()
        rendered = await process.render("some *words*", "text/x-rst")
        assert "<em>words</em>" in (rendered.html or "")
        await process.close()

    asyncio.run(run())
