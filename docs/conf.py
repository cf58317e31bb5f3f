"""How `make docs` builds the website: Sphinx reads the Markdown as a forge does, and the docstrings beside it.

The source folder is the repository's root, so that links between pages, code and tests are the same everywhere. There
is no list of pages but docs/index.md: what it links to, below its headings, is the navigation.
"""

from __future__ import annotations

import re
from typing import Any

from pygments.lexers.sql import PostgresLexer
from sphinx.application import Sphinx

from atlas_models import __version__

project = "Atlas"
release = version = __version__
copyright = "the Atlas authors"  # noqa: A001

root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "docs/**.md"]
exclude_patterns = [".*", "build", "dist", "tests", "python_client"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# GitHub's anchors for headings, so that page.md#a-heading leads there on both.
myst_heading_anchors = 4
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"Atlas {__version__}"
html_extra_path = ["website/index.html"]
html_static_path = ["website/tables.css"]
html_css_files = ["tables.css"]
html_copy_source = False

_SECTION = re.compile(r"^## (.+?)$(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_LONG_NAME = re.compile(r'(?<=<span class="pre">)[^<]{25,}')
_PAGE = re.compile(r"\]\(([\w./-]+\.md)\)")


def navigation(index: str) -> dict[str, list[str]]:
    """Reads the navigation from the index.

    Args:
        index: The text of docs/index.md.

    Returns:
        For each heading the pages that are linked below it, in order, relative to docs/, each at its first mention.
    """
    seen: set[str] = set()
    sections = {}
    for heading, text in _SECTION.findall(index):
        pages = [page for page in dict.fromkeys(_PAGE.findall(text)) if page not in seen]
        seen.update(pages)
        if pages:
            sections[heading] = pages
    return sections


def _add_navigation(_app: Sphinx, name: str, source: list[str]) -> None:
    if name == root_doc:
        for heading, pages in navigation(source[0]).items():
            listed = "\n".join(page.removesuffix(".md") for page in pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{listed}\n```\n"


def _let_long_names_break(_app: Sphinx, _name: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    if "body" in context:
        context["body"] = _LONG_NAME.sub(lambda found: found[0].replace("_", "_<wbr>"), context["body"])


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.add_lexer("sql", PostgresLexer)
    app.connect("source-read", _add_navigation)
    app.connect("html-page-context", _let_long_names_break)
