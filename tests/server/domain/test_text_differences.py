"""Texts are compared in a process of their own, which is killed if it takes too long."""

from __future__ import annotations

import asyncio

from cloudrepo_server.domain.text_differences import TextDifferences

# `difflib` compares each line with many equal lines of the other text.
SLOW = "\n".join(str(number % 190) for number in range(60_000))
OTHER = "\n".join(str(number % 191) for number in range(60_000))


def test_a_comparison_that_takes_too_long_ends_and_the_next_one_succeeds() -> None:
    async def run() -> None:
        differences = TextDifferences()
        assert await differences.compare(SLOW, OTHER, seconds=1.0) is None
        found = await differences.compare("a\nb", "a\nc", seconds=60.0)
        assert found is not None
        assert (found.lines, found.is_cut) == (["@@ -1,2 +1,2 @@", " a", "-b", "+c"], False)
        await differences.close()

    asyncio.run(run())
