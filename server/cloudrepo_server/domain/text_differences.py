"""The process that compares texts, which is killed if it does not finish in time."""

import msgspec

from cloudrepo_server.domain.line_process import REQUEST_SECONDS, LineProcess
from cloudrepo_server.limits import MAX_DIFFERENCE_LINES


class TextDifference(msgspec.Struct, frozen=True, array_like=True):
    """The lines of a unified diff, and whether further lines were left out."""

    lines: list[str]
    is_cut: bool


class TextDifferences(LineProcess):
    """A process that compares two texts at a time, and is started when it is needed."""

    def __init__(self, *, seconds: float = REQUEST_SECONDS) -> None:
        super().__init__(
            "cloudrepo_server.specs.text_difference", "the comparison of texts", seconds=seconds
        )

    async def prepare(self) -> None:
        """Start the process before it is needed.

        Raises:
            BusyError: too many other texts are being compared.
        """
        await self.compare("", "", seconds=REQUEST_SECONDS)

    async def compare(self, old: str, new: str, *, seconds: float) -> TextDifference | None:
        """Return the difference of two texts, or None if that takes longer than `seconds`.

        Raises:
            BusyError: too many other texts are being compared.
            ConnectionResetError: the client disconnected before its turn.
        """
        response = await self.request((old, new, MAX_DIFFERENCE_LINES), seconds=seconds)
        if response is None:
            return None
        return msgspec.json.decode(response, type=TextDifference | None)
