"""READMEs as HTML that fits into a page and is accessible."""

from __future__ import annotations

import pytest

from cloudrepo_server.specs.readme_html import make_accessible


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<h1>A</h1><h2>B</h2><h1>C</h1>", "<h3>A</h3><h4>B</h4><h3>C</h3>"),
        # No level is left out, and none is below the last one.
        ("<h2>A</h2><h5>B</h5><h3>C</h3>", "<h3>A</h3><h4>B</h4><h4>C</h4>"),
        ("<h4>A</h4><h1>B</h1>", "<h3>A</h3><h3>B</h3>"),
        (
            "".join(f"<h{level}>x</h{level}>" for level in range(1, 7)),
            "<h3>x</h3><h4>x</h4><h5>x</h5><h6>x</h6><h6>x</h6><h6>x</h6>",
        ),
        ("<h1><img src='x'></h1>", "<div></div>"),
    ],
)
def test_headings_are_below_those_of_the_page(html: str, expected: str) -> None:
    assert make_accessible(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<img src="https://x.example/a.png" alt="build &amp; test">', "build &amp; test"),
        ('<img src="https://x.example/a.png">', ""),
        (
            '<a href="https://x.example"><img alt="docs"></a>',
            '<a href="https://x.example">docs</a>',
        ),
        ('<a href="https://x.example"><img src="y"></a>', "<span></span>"),
        (
            '<a href="#usage" id="top">Usage</a>',
            '<a href="#readme-usage" id="readme-top">Usage</a>',
        ),
        ('<a id="top"></a><p id="top">x</p>', '<span id="readme-top"></span><p>x</p>'),
        ("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c"),
        ('<abbr title="&quot;&gt;">x</abbr>', '<abbr title="&quot;&gt;">x</abbr>'),
        ("a<br>b<hr>", "a<br>b<hr>"),
    ],
)
def test_images_and_links_have_text(html: str, expected: str) -> None:
    assert make_accessible(html) == expected


def test_headers_of_tables_have_a_scope_and_wide_tables_can_be_scrolled() -> None:
    html = (
        "<table><thead><tr><th></th><th>b</th></tr></thead>"
        "<tbody><tr><th>c</th><td>1</td></tr></tbody></table>"
    )
    assert make_accessible(html) == (
        '<div class="scrollable" tabindex="0" role="group" aria-label="Table 1">'
        '<table><thead><tr><td></td><th scope="col">b</th></tr></thead>'
        '<tbody><tr><th scope="row">c</th><td>1</td></tr></tbody></table></div>'
    )
    # A header without cells to describe becomes an ordinary cell.
    assert "<th" not in make_accessible("<table><tr><th>a</th><th>b</th></tr></table>")


def test_code_can_be_scrolled() -> None:
    block = '<pre tabindex="0" role="group" aria-label="Code {}">x</pre>'
    assert make_accessible("<pre>x</pre>" * 2) == block.format(1) + block.format(2)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<ul>\n<li>a</li>\n</ul>", "<ul>\n<li>a</li>\n</ul>"),
        ("<ul><p>x</p><li>a</li></ul>", "<div><p>x</p><div>a</div></div>"),
        ("<li>a</li>", "<div>a</div>"),
        ("<dl><dt>a</dt><dd>b</dd></dl>", "<dl><dt>a</dt><dd>b</dd></dl>"),
        ("<dt>a</dt>", "<div>a</div>"),
        ("<nav>a</nav><aside>b</aside>", "<div>a</div><div>b</div>"),
        (
            "<details><summary></summary>a</details>",
            "<details><summary>Details</summary>a</details>",
        ),
    ],
)
def test_lists_consist_of_items(html: str, expected: str) -> None:
    assert make_accessible(html) == expected


def test_deeply_nested_elements_need_no_recursion() -> None:
    html = "<div>" * 50_000 + "x" + "</div>" * 50_000
    assert make_accessible(html) == html
