"""Rules are data: which legacy key or column says what about which field, compiled once for many documents."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from atlas_models.backfill.code_links import read_code_link, read_commit
from atlas_models.backfill.numbers import read_count, read_metric, read_metrics
from atlas_models.backfill.readings import (
    Reading,
    as_phrase,
    as_word,
    doubtful,
    read_boolean,
    read_contained,
    read_implied,
    read_mapped,
    read_object,
    read_text,
    read_texts,
    read_timestamp,
    read_url,
    sure,
    zone_of,
)

Reader = Callable[[Any, Mapping[str, Any]], Reading | None]

TEXT_FIELDS = (
    "model_family",
    "framework",
    "task",
    "license",
    "description",
    "benchmark_id",
    "base_model_id",
    "external_source_version",
)
DATA_FIELDS = ("training_data", "evaluation_dataset")
TEXT_COLUMNS = ("code_entrypoint", "trained_by", "gpu_allocation_id")
TIME_COLUMNS = ("training_started_at", "training_completed_at")
COLUMNS = frozenset(("code_repo_url", "code_commit_sha", *TEXT_COLUMNS, *TIME_COLUMNS))
SCHEMA_FIELDS = (
    *(*TEXT_FIELDS, *DATA_FIELDS),
    *("is_external", "parameter_count", "evaluation_metrics", "external_source_url", "training_config"),
)
IN_SERVICE = "promoted_by"
# How a field under its own name is read where no rule of the table says it.
AS_IT_IS = "as it is"
ANY_KEY = "*"

_ANYTHING = (*TEXT_FIELDS, *DATA_FIELDS, *TEXT_COLUMNS, "is_external", IN_SERVICE)


class Transform(NamedTuple):
    """What a rule does: the reader of the value (None for what is no reading) and the fields that it can fill."""

    read: Reader | None
    fields: tuple[str, ...]


TRANSFORMS = {
    "text": Transform(read_text, (*TEXT_FIELDS, *TEXT_COLUMNS, *DATA_FIELDS)),
    "texts": Transform(read_texts, DATA_FIELDS),
    "boolean": Transform(read_boolean, ("is_external",)),
    "count": Transform(read_count, ("parameter_count",)),
    "metrics": Transform(read_metrics, ("evaluation_metrics",)),
    "metric": Transform(read_metric, ("evaluation_metrics",)),
    "object": Transform(read_object, ("training_config",)),
    "url": Transform(read_url, ("external_source_url",)),
    "code_link": Transform(read_code_link, ("code_repo_url",)),
    "commit": Transform(read_commit, ("code_commit_sha",)),
    "timestamp": Transform(read_timestamp, TIME_COLUMNS),
    "map": Transform(read_mapped, _ANYTHING),
    "contains": Transform(read_contained, _ANYTHING),
    "implies": Transform(read_implied, _ANYTHING),
    "internal_by_default": Transform(None, ("is_external",)),
    "keep": Transform(None, ("extra",)),
}

# How much a candidate weighs: what a row states, what follows from it, what stands in only where nothing else does,
# and what is no more than a suggestion to the person who is asked.
STATED, IMPLIED, FALLBACK, SUGGESTED = range(4)


class Rule(NamedTuple):
    """One rule, ready to apply.

    takes says whether the legacy key is used up by it: what follows from a fact, and what only suggests, leaves the
    fact where it is. fault says why the rule cannot work, or is None.
    """

    name: str
    field: str
    transform: str
    argument: Mapping[str, Any]
    read: Reader
    weight: int
    takes: bool
    fault: str | None


class KeyUse(NamedTuple):
    """What a key of a document means to the rules.

    rules apply to its value; is_prefix says that rules ask for facts inside it; speaks_of_origin that, where it stands,
    a model is not taken for internal without asking.
    """

    rules: tuple[Rule, ...]
    is_prefix: bool
    speaks_of_origin: bool


MAX_REMEMBERED_KEYS = 10_000
MAX_REMEMBERED_LENGTH = 100


class RuleBook:
    """All rules, by what they apply to.

    by_column holds the rules of a column, in order; known the spelling → value of each field that rules of transform
    implies know; keep and default are the rules of whole rows, None when there is none that is enabled.
    """

    def __init__(
        self,
        by_key: Mapping[str, tuple[Rule, ...]],
        by_column: Mapping[str, tuple[Rule, ...]],
        known: Mapping[str, Mapping[Any, Any]],
        keep: Rule | None,
        default: Rule | None,
    ) -> None:
        self.by_column = by_column
        self.known = known
        self.keep = keep
        self.default = default
        self._by_key = by_key
        self._prefixes = frozenset(prefix for key in by_key for prefix in _prefixes(key))
        self._origin_keys = frozenset(map(as_word, default.argument.get("keys", ()))) if default else frozenset()
        # Documents of one catalogue share their keys.
        self._remembered: dict[tuple[str, ...], KeyUse] = {}

    def use_of(self, path: tuple[str, ...]) -> KeyUse:
        """Return what a key means, given with the keys of the objects that it stands in."""
        use = self._remembered.get(path)
        if use is None:
            key = ".".join(path)
            word = as_word(key) or ""
            use = KeyUse(self._by_key.get(word, ()), word in self._prefixes, word in self._origin_keys)
            if len(key) <= MAX_REMEMBERED_LENGTH and len(self._remembered) < MAX_REMEMBERED_KEYS:
                self._remembered[path] = use
        return use


def compile_rules(rules: str | None) -> RuleBook:
    """Compile the rules, given as a JSON array of objects with the columns of backfill_rules, in their order.

    A rule that is not enabled is left out; one that cannot work is kept with its fault, and becomes a question about
    every row that it applies to. Raises ValueError when the text is no JSON array of objects with texts in them.
    """
    by_key: dict[str, list[Rule]] = {}
    by_column: dict[str, list[Rule]] = {}
    known: dict[str, dict[Any, Any]] = {}
    keep = default = None
    parsed = json.loads(rules or "[]")
    if not isinstance(parsed, list):
        raise ValueError("the rules are no array")
    for row in parsed:
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in _TEXTS):
            raise ValueError(f"a rule is an object with the texts {', '.join(_TEXTS)}")
        if row.get("enabled") is False:
            continue
        rule = _compile(row)
        key = row["legacy_key"]
        if rule.transform == "keep" and rule.fault is None:
            keep = keep or rule
        elif rule.transform == "internal_by_default" and rule.fault is None:
            default = default or rule
        elif row["source"] == "column":
            by_column.setdefault(key, []).append(rule)
        else:
            by_key.setdefault(as_word(key) or "", []).append(rule)
        if rule.transform == "implies" and rule.fault is None:
            value = rule.argument["value"]
            spellings = known.setdefault(rule.field, {True: True, False: False})
            spellings |= {_as_known(text): value for text in (value, *rule.argument.get("spellings", ()))}
    for field in SCHEMA_FIELDS:
        if not any(rule.takes and rule.field == field for rule in by_key.get(field, ())):
            by_key.setdefault(field, []).append(Rule(field, field, AS_IT_IS, {}, _as_it_is, STATED, True, None))
    return RuleBook(
        {key: tuple(found) for key, found in by_key.items()},
        {key: tuple(found) for key, found in by_column.items()},
        known,
        keep,
        default,
    )


_TEXTS = ("name", "source", "legacy_key", "field", "transform")


def _as_known(value: Any) -> Any:
    return as_word(value) if type(value) is str else value


def _prefixes(key: str) -> list[str]:
    return [key[:at] for at, character in enumerate(key) if character == "."]


def _compile(row: Mapping[str, Any]) -> Rule:
    argument = row.get("argument") or {}
    field, transform = row["field"], TRANSFORMS.get(row["transform"])
    fault = _fault(row, argument, transform)
    read: Reader = _unreadable
    if fault is None and transform is not None:
        argument = _prepared(row["transform"], argument)
        read = transform.read or _unreadable
    weight = STATED
    takes = row["source"] == "metadata" and row["transform"] != "implies" and field != IN_SERVICE
    if row["transform"] in ("map", "contains") and field == "is_external":
        takes = False
    if fault is None and argument.get("ask") is True:
        weight, takes = SUGGESTED, False
    elif fault is None and argument.get("only_if_missing") is True:
        weight = FALLBACK
    elif row["transform"] == "implies":
        weight = IMPLIED
    return Rule(row["name"], field, row["transform"], argument, read, weight, takes, fault)


def _as_it_is(value: Any, _argument: Mapping[str, Any]) -> Reading | None:
    return sure(value)


def _unreadable(_value: Any, _argument: Mapping[str, Any]) -> Reading | None:
    return doubtful("cannot be read by a rule that does not work")


def _prepared(transform: str, argument: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the words or phrases of an argument as they are compared."""
    if transform == "map":
        return {**argument, "values": {as_word(word): meaning for word, meaning in argument["values"].items()}}
    if transform == "contains":
        phrases = {as_phrase(phrase): meaning for phrase, meaning in argument["values"].items()}
        return {**argument, "values": {phrase: meaning for phrase, meaning in phrases.items() if phrase.strip()}}
    return argument


def _fault(row: Mapping[str, Any], argument: Any, transform: Transform | None) -> str | None:
    """Say why a rule cannot work; the table's constraints refuse most of it before."""
    name = row["transform"]
    if transform is None:
        return f"there is no transform {name}"
    if row["source"] not in ("metadata", "column"):
        return "source is metadata or column"
    if row["field"] not in transform.fields:
        return f"transform {name} cannot fill the field {row['field']}"
    if not as_word(row["legacy_key"]) or (row["legacy_key"] == ANY_KEY) != (transform.read is None):
        return f"legacy_key * is for keep and internal_by_default, and {name} has {row['legacy_key']!r}"
    if not isinstance(argument, dict):
        return "its argument is no object"
    return _argument_fault(name, row["field"], argument)


def _argument_fault(name: str, field: str, argument: Mapping[str, Any]) -> str | None:
    if name in ("map", "contains"):
        values = argument.get("values")
        if not isinstance(values, dict) or not all(_fits(field, value) for value in values.values()):
            return f"its argument lacks values: an object word → {_kind(field)}"
    if name == "implies":
        spellings = argument.get("spellings", [])
        if not _fits(field, argument.get("value")):
            return f"its argument lacks value: {_kind(field)}"
        if not isinstance(spellings, list) or not all(isinstance(text, str) for text in spellings):
            return "its argument's spellings are no list of texts"
    if name == "metric" and not (isinstance(argument.get("name"), str) and argument["name"].strip()):
        return "its argument lacks the metric's name"
    if name == "timestamp" and not ("zone" not in argument or _is_zone(argument["zone"])):
        return "its argument's zone is neither UTC nor an offset such as +02:00"
    if name == "count" and (type(argument.get("times", 1)) is not int or argument.get("times", 1) < 1):
        return "its argument's times is no whole number above 0"
    if name == "internal_by_default":
        lists = [argument.get(key, []) for key in ("word_columns", "url_columns", "keys", "own_hosts", "own_schemes")]
        if not all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in lists):
            return "its argument holds something else than lists of texts"
    return None


def _fits(field: str, value: Any) -> bool:
    if field in ("is_external", IN_SERVICE):
        return type(value) is bool
    return isinstance(value, str) and bool(value.strip())


def _kind(field: str) -> str:
    return "true or false" if field in ("is_external", IN_SERVICE) else "a text"


def _is_zone(zone: Any) -> bool:
    return isinstance(zone, str) and zone_of(zone) is not None
