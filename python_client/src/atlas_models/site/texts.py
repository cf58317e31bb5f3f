"""How values become text on a page; every text may be hostile."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from atlas_models.site.addresses import web_link

# What changes the order of other characters or is not to be seen; line feed and tab are as they should be.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]")
# What is longer is shown as it is written: rendering it would take seconds.
_LONGEST_MARKDOWN = 50_000
_LONGEST_PLAIN = 200_000
_HEADING = re.compile(r"\A\s*# [^\n]*\n")
_FRONT_MATTER = re.compile(r"\A---\r?\n.*?^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


def visible(text: str) -> str:
    """Writes what cannot be seen, or turns text around, as the card does: ``(U+202E)``."""
    return _INVISIBLE.sub(lambda found: f"(U+{ord(found[0]):04X})", text.replace("\r\n", "\n"))


def shortened(text: str, length: int) -> str:
    """Cuts a text that is too long, and marks the cut."""
    return text if len(text) <= length else text[: length - 1] + "…"


def number(value: float) -> str:
    """Writes a measured number with six digits, a whole one with all of them."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:.6g}"


def change(before: float, now: float) -> str:
    """Writes by how much a number changed, with its sign."""
    difference = now - before
    if difference == 0:
        return "±0"
    # What remains of 0.3 - 0.1 behind the digits that both have says nothing.
    rounded = float(f"{difference:.3g}")
    return ("+" if rounded > 0 else "\N{MINUS SIGN}") + number(abs(rounded))


def finite(value: Any) -> float | None:
    """Gives a number that can be drawn, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer beyond every double
        return None


def moment(time: datetime | None) -> str:
    """Writes a time in UTC, to the minute."""
    return "" if time is None else time.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def written(value: Any) -> str:
    """Writes a value of a JSON document for a person: texts as they are, lists of texts with commas, else JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return json.dumps(value, ensure_ascii=False)


def card_html(card: str) -> Markup:
    """Renders a model card: its front matter is left out, HTML in it is text, images and other links than web are none.

    Args:
        card: Front matter between lines of ``---``, then Markdown.

    Returns:
        HTML that holds no script, no style and nothing that is loaded; headings begin at level 2.
    """
    body = _FRONT_MATTER.sub("", card, count=1)
    if len(body) > _LONGEST_MARKDOWN:
        rest = f"\n\n… and {len(body) - _LONGEST_PLAIN:,} characters more" if len(body) > _LONGEST_PLAIN else ""
        return Markup('<pre class="plain">{}</pre>').format(visible(body[:_LONGEST_PLAIN]) + rest)
    # The page has the heading already. After rendering: an entity such as &#x202e; is a character by then.
    return Markup(visible(_MARKDOWN.render(_HEADING.sub("", body, count=1))))


class _Renderer(RendererHTML):
    def heading_open(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        return f"<h{_level(tokens[idx])}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        return f"</h{_level(tokens[idx])}>\n"

    def link_open(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        return f'<a href="{escape(tokens[idx].attrGet("href"))}" rel="noopener noreferrer nofollow">'

    def table_open(self, *_: object) -> str:
        # A wide one scrolls by itself, with the keyboard too.
        return '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>\n'

    def table_close(self, *_: object) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        return f'<th scope="col"{_alignment(tokens[idx])}>'

    def td_open(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        return f"<td{_alignment(tokens[idx])}>"


def _level(token: Token) -> int:
    return min(int(token.tag[1]) + 1, 6)


def _alignment(token: Token) -> str:
    # A style attribute is what the page's policy forbids.
    return ' class="right"' if "right" in str(token.attrGet("style") or "") else ""


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
    markdown.enable("table").disable("image")
    markdown.validateLink = lambda url: web_link(url) is not None  # type: ignore[method-assign]
    return markdown


_MARKDOWN = _markdown()
