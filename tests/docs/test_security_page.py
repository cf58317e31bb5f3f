"""docs/security.md names the tests that show what it says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:tests/)?[\w/]*test_\w+\.py)`", (ROOT / "docs" / "security.md").read_text()))
    assert len(named) > 10
    missing = [
        name for name in named if not ((ROOT / name).exists() if "/" in name else list((ROOT / "tests").rglob(name)))
    ]
    assert missing == []
