"""A program that renders READMEs to HTML without active content; the server can kill it.

The renderers can need hours, or all memory, for a few kilobytes. Each request is one line of JSON
on the standard input, and each response one line on the standard output.
"""

import faulthandler
import json
import os
import signal
import sys

from multipart import parse_options_header

from cloudrepo_server.specs.readme_html import make_accessible

_MAX_SECONDS = 60
_MAX_MEMORY = 2 << 30


def render(text: str, content_type: str) -> tuple[str | None, bool, bool]:
    """Return the HTML of a README, whether it had images, and whether PyPI renders it.

    The HTML is None if the README cannot be rendered.
    """
    # Imported with the first README, because docutils and Pygments are slow to import.
    from readme_renderer import markdown, rst
    from readme_renderer.clean import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, clean

    kind, options = parse_options_header(content_type)
    if kind == "text/markdown":
        html = markdown.render(text, variant=options.get("variant", "GFM"))
    elif kind in ("", "text/x-rst"):
        # The default type is reStructuredText. The renderer returns None for invalid text.
        html = rst.render(text)
    else:
        # PyPI shows other types as plain text.
        return None, False, True
    # Checkboxes have no label, and the attribute with the language of a code block has no meaning
    # to screen readers.
    cleaned = html and clean(
        html,
        tags=ALLOWED_TAGS - {"picture", "input"},
        attributes={**ALLOWED_ATTRIBUTES, "pre": {"class"}},
    )
    shown = make_accessible(cleaned) if cleaned else None
    return shown, "<img " in (html or ""), html is not None


def main() -> None:
    """Respond to requests until the standard input ends."""
    # Ctrl-C reaches the whole process group; the server decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    for line in sys.stdin.buffer:
        # The server kills this process sooner, unless it was killed itself.
        faulthandler.dump_traceback_later(_MAX_SECONDS, exit=True, file=sys.stderr)
        try:
            rendered = render(*json.loads(line))
        except Exception:  # noqa: BLE001 (the page shows the README as text)
            rendered = None, False, False
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.buffer.write(json.dumps(rendered).encode() + b"\n")
        sys.stdout.buffer.flush()
    os._exit(0)


def _limit_memory() -> None:
    try:
        # Windows has neither the module nor the limit.
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _MAX_MEMORY if hard == resource.RLIM_INFINITY else min(_MAX_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()
