"""Makes the HTML of a README fit into a page, and accessible.

The HTML is that of a sanitizer: every start tag has its end tag.
"""

from collections import Counter
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser

_FIRST_LEVEL, _LAST_LEVEL = 3, 6
"""The levels of headings below the page's own ones."""
_VOID = frozenset({"br", "col", "hr", "img"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_LANDMARKS = frozenset({"aside", "nav"})
_LIST_ITEMS = {"ul": frozenset({"li"}), "ol": frozenset({"li"}), "dl": frozenset({"dt", "dd"})}
_ITEM_PARENTS = {"li": ("ul", "ol"), "dt": ("dl",), "dd": ("dl",)}
_PREFIX = "readme-"


@dataclass(slots=True)
class _Element:
    """An element, or a text if it has no tag."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["_Element"] = field(default_factory=list)
    text: str = ""
    has_text: bool = False
    """Whether there is any visible text in it."""


class _Parser(HTMLParser):
    """Parses HTML to elements, each list of children in the order of the document."""

    def __init__(self) -> None:
        super().__init__()
        self.root = _Element("div")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "img":
            # An image would be loaded from another server.
            self.handle_data(attributes.get("alt", ""))
            return
        element = _Element(tag, attributes)
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and len(self._open) > 1 and self._open[-1].tag == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(_Element("", text=data))
        if data.strip():
            for element in self._open:
                element.has_text = True


def make_accessible(html: str) -> str:
    """Return the HTML of a README, changed so that it fits into a page and is accessible.

    - Images become their descriptions.
    - Headings are below those of the page, and no level is left out.
    - Links and headings without any text are removed.
    - Headers of tables have a scope. Wide tables and code blocks can be scrolled with the keyboard.
    - Identifiers differ from those of the page. Lists consist of items only.
    """
    parser = _Parser()
    parser.feed(html)
    parser.close()
    writer = _Writer()
    writer.write(parser.root)
    return "".join(writer.parts)


class _Writer:
    """Writes elements as HTML."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._levels: list[int] = []
        self._ids: set[str] = set()
        self._counts: Counter[str] = Counter()

    def write(self, root: _Element) -> None:
        """Write what is in an element. Without recursion: a README can nest elements deeply."""
        open_elements: list[tuple[str, _Element | None, str]] = [
            ("", child, "div") for child in reversed(root.children)
        ]
        while open_elements:
            end, element, parent = open_elements.pop()
            self.parts.append(end)
            if element is None:
                continue
            if not element.tag:
                self.parts.append(escape(element.text, quote=False))
                continue
            tag, closing = self._start(element, parent)
            if element.tag not in _VOID:
                open_elements.append((closing, None, ""))
                open_elements += (("", child, tag) for child in reversed(element.children))

    def _start(self, element: _Element, parent: str) -> tuple[str, str]:
        """Write the start of an element; return the tag that it got, and its end."""
        tag, attributes = element.tag, self._identified(element)
        before = after = ""
        if tag in _HEADINGS:
            tag = self._heading(tag) if element.has_text else "div"
        elif tag == "a" and not element.has_text:
            tag = "span"
            attributes = {name: value for name, value in attributes.items() if name == "id"}
        elif tag in _LANDMARKS or _is_malformed(element, parent):
            tag = "div"
        elif tag == "table":
            _add_scopes(element)
            before, after = self._scrollable("Table"), "</div>"
        elif tag == "th" and "scope" not in attributes:
            tag = "td"
        elif tag == "pre":
            attributes |= {"tabindex": "0", "role": "group", "aria-label": self._name("Code")}
        elif tag == "summary" and not element.has_text:
            after = "Details"
        written = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
        self.parts.append(f"{before}<{tag}{written}>")
        if element.tag == "summary":
            return tag, f"{after}</summary>"
        return tag, f"</{tag}>{after}"

    def _heading(self, tag: str) -> str:
        level = int(tag[1])
        while self._levels and self._levels[-1] >= level:
            self._levels.pop()
        self._levels.append(level)
        return f"h{min(_FIRST_LEVEL + len(self._levels) - 1, _LAST_LEVEL)}"

    def _identified(self, element: _Element) -> dict[str, str]:
        attributes = dict(element.attributes)
        href = attributes.get("href", "")
        if href.startswith("#") and len(href) > 1:
            attributes["href"] = f"#{_PREFIX}{href[1:]}"
        identifier = attributes.pop("id", "")
        if identifier and identifier not in self._ids:
            self._ids.add(identifier)
            attributes["id"] = _PREFIX + identifier
        return attributes

    def _scrollable(self, kind: str) -> str:
        return f'<div class="scrollable" tabindex="0" role="group" aria-label="{self._name(kind)}">'

    def _name(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind} {self._counts[kind]}"


def _is_malformed(element: _Element, parent: str) -> bool:
    """Return whether an element is an item outside of a list, or a list with other content."""
    if element.tag in _ITEM_PARENTS:
        return parent not in _ITEM_PARENTS[element.tag]
    return element.tag in _LIST_ITEMS and not _has_only(element, _LIST_ITEMS[element.tag])


def _has_only(element: _Element, tags: frozenset[str]) -> bool:
    """Return whether an element contains only elements with these tags, and space."""
    return all(
        child.tag in tags if child.tag else not child.text.strip() for child in element.children
    )


def _add_scopes(table: _Element) -> None:
    """Give a scope to each header of a table that heads cells; other headers get none."""
    rows: list[tuple[_Element, bool]] = []
    for child in table.children:
        if child.tag == "tr":
            rows.append((child, False))
        elif child.tag in ("thead", "tbody", "tfoot"):
            rows += ((row, child.tag == "thead") for row in child.children if row.tag == "tr")
    has_cells = any(cell.tag == "td" for row, _ in rows for cell in row.children)
    for number, (row, in_head) in enumerate(rows):
        is_head = in_head or all(cell.tag in ("th", "") for cell in row.children)
        for cell in row.children:
            cell.attributes.pop("scope", None)
            if cell.tag == "th" and cell.has_text and has_cells:
                heads_column = is_head and not _is_last(number, rows)
                cell.attributes["scope"] = "col" if heads_column else "row"


def _is_last(number: int, rows: list[tuple[_Element, bool]]) -> bool:
    return number == len(rows) - 1
