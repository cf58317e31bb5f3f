"""Writes the client's synchronous classes from the asynchronous ones: `make client`.

What differs between the two is a fixed list of words. Both are ordinary modules, with signatures and documentation that
an editor shows and mypy checks, and a test holds the written one to its source.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

SYNCHRONOUS_OF = {"async_registry.py": "registry.py", "async_sessions.py": "sessions.py"}

_WORDS = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r"\bAwaitable, ", ""),
    (r"\b_?Async(Connection|ConnectionPool|ExitStack|Iterator|Registry|Session)\b", r"\1"),
    (r"\bAbstractAsyncContextManager\b", "AbstractContextManager"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\benter_async_context\b", "enter_context"),
    (r"\bconnect_async\b", "connect"),
    (r"\basync_(registry|sessions)\b", r"\1"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\bfrom asyncio import Lock\b", "from threading import Lock"),
)


def synchronous(name: str) -> str:
    """Writes the synchronous form of a module of the package.

    Args:
        name: The asynchronous module's file name.

    Returns:
        The module's text, formatted; needs ruff, one of the development tools.
    """
    opening, body = (PACKAGE / name).read_text(encoding="utf-8").split("\n", 1)
    for pattern, word in _WORDS:
        body = re.sub(pattern, word, body)
    text = f"{opening}\n\n# Written from {name} by `make client`: change that one.\n{body}"
    for arguments in (("check", "--quiet", "--fix", "--select", "I"), ("format", "--quiet")):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(PACKAGE / SYNCHRONOUS_OF[name]), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


def main() -> None:
    """Writes the modules that differ."""
    for source, target in SYNCHRONOUS_OF.items():
        path, text = PACKAGE / target, synchronous(source)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            print(f"{target} is up to date")
            continue
        path.write_text(text, encoding="utf-8")
        print(f"written: {target}")


if __name__ == "__main__":
    main()
