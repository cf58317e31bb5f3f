"""What a log may repeat of a value: never a credential, and never more than fits on a screen."""

import json
from collections.abc import Iterable
from typing import Any

from atlas_models.backfill.legacy_documents import same
from atlas_models.backfill.readings import masked

MAX_QUOTE = 200
MAX_READING = 2000
MAX_READINGS = 8

_write = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


def quote(value: Any) -> Any:
    """Return a value fit for a log: credentials masked, and cut to 200 characters, as text when it is no text."""
    if value is None or type(value) in (bool, int, float):
        return value
    text = value if type(value) is str else _write(value)
    if len(text) <= MAX_QUOTE and "://" not in text:
        return value
    shown = masked(text)
    if len(shown) > MAX_QUOTE:
        return shown[:MAX_QUOTE] + "…"
    return value if shown == text else shown


def quotable(values: Iterable[Any]) -> list[Any]:
    """The values that can be offered whole: at most 8, each at most 2,000 characters long and without credentials."""
    offered: list[Any] = []
    for value in values:
        text = _write(value)
        if len(text) <= MAX_READING and masked(text) == text and not any(same(value, other) for other in offered):
            offered.append(value)
    return offered[:MAX_READINGS]
