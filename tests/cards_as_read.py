"""Cards as their readers take them: the front matter as YAML, the body as a CommonMark renderer shows it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any, NamedTuple

import yaml
from markdown_it import MarkdownIt

# Whatever of a text is raw HTML would come through; tables and strike-through as on GitHub.
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


class Page(HTMLParser):
    """What a browser would make of a card: its elements, the addresses it links to, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= set(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.add(f"comment {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


class Card(NamedTuple):
    """A card taken apart."""

    front_matter: Any
    page: Page
    text: str


def take_apart(text: str) -> Card:
    found = re.fullmatch(r"(?:---\n(.*?\n)---\n\n)?(# .*)", text, flags=re.DOTALL)
    assert found
    return Card(yaml.safe_load(found[1]) if found[1] else None, Page(_MARKDOWN.render(found[2])), text)
