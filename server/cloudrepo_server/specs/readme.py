"""A program that renders READMEs to HTML without active content; the server can kill it.

The renderers can need hours, or all memory, for a few kilobytes.
"""

from multipart import parse_options_header

from cloudrepo_server.specs.line_program import serve_lines
from cloudrepo_server.specs.readme_html import make_accessible

_VARIANTS = ("GFM", "CommonMark")


def render(text: str, content_type: str) -> tuple[str | None, bool, bool, bool]:
    """Return the HTML of a README, and three facts about it.

    The HTML is None if the README cannot be rendered. The facts: whether it had images,
    whether PyPI renders the README, and whether rendering it needs a missing library.
    """
    # Imported with the first README, because docutils and Pygments are slow to import.
    from readme_renderer import markdown, rst
    from readme_renderer.clean import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, clean

    kind, options = parse_options_header(content_type)
    if kind == "text/markdown":
        variant = options.get("variant", "GFM")
        if not markdown.variants:
            # The extra `markdown` is not installed. Every text is valid Markdown.
            return None, False, variant in _VARIANTS, True
        html = markdown.render(text, variant=variant)
    elif kind in ("", "text/x-rst"):
        # The default type is reStructuredText. The renderer returns None for invalid text.
        html = rst.render(text)
    else:
        # PyPI shows other types as plain text.
        return None, False, True, False
    # Checkboxes have no label, and the attribute with the language of a code block has no meaning
    # to screen readers.
    cleaned = html and clean(
        html,
        tags=ALLOWED_TAGS - {"picture", "input"},
        attributes={**ALLOWED_ATTRIBUTES, "pre": {"class"}},
    )
    shown = make_accessible(cleaned) if cleaned else None
    return shown, "<img " in (html or ""), html is not None, False


if __name__ == "__main__":
    # A README that cannot be rendered is shown as text.
    serve_lines(render, (None, False, False, False))
