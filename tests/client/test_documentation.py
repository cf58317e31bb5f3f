"""Every Python block of the documentation runs, one after the other, on a real registry."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_blocks_of_map_a_catalogue_run(database_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    text = (DOCS / "map_a_catalogue.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    names = {}
    for block in blocks:
        exec(compile(block, "docs/map_a_catalogue.md", "exec"), names)
