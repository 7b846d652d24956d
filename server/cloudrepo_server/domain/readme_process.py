"""The process that renders READMEs, which is killed if it does not finish in time."""

import msgspec

from cloudrepo_server.domain.line_process import REQUEST_SECONDS, LineProcess


class Rendered(msgspec.Struct, frozen=True, array_like=True):
    """The HTML of a README, or None, and whether images were left out of it."""

    html: str | None
    has_images: bool
    is_valid: bool
    """Whether PyPI accepts the README."""
    lacks_renderer: bool
    """Whether the extra `markdown` would render it."""


_SAMPLES = {
    "text/x-rst": ".. code:: python\n\n   x = 1",
    "text/markdown": "```python\nx = 1\n```",
}
NOT_RENDERED = Rendered(None, has_images=False, is_valid=False, lacks_renderer=False)


class ReadmeProcess(LineProcess):
    """A process that renders one README at a time, and is started when it is needed."""

    def __init__(self, *, seconds: float = REQUEST_SECONDS) -> None:
        super().__init__(
            "cloudrepo_server.specs.readme", "the rendering of a README", seconds=seconds
        )

    async def prepare(self) -> None:
        """Start the process before it is needed, and make it import the renderers.

        Raises:
            BusyError: too many other READMEs are being rendered.
        """
        for content_type, text in _SAMPLES.items():
            await self.render(text, content_type)

    async def render(self, text: str, content_type: str) -> Rendered:
        """Render a README; the HTML is None if that is not possible in time.

        Raises:
            BusyError: too many other READMEs are being rendered.
            ConnectionResetError: the client disconnected before its turn.
        """
        response = await self.request((text, content_type))
        return NOT_RENDERED if response is None else msgspec.json.decode(response, type=Rendered)
