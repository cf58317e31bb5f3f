"""Documents that a schema allows, ways to spoil them, and what somebody might send to break the server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st


class Raw(str):
    """Text that stands in a document as it is: numbers and escapes that json.dumps would not write."""


def written(value: Any) -> str:
    """Writes a document as JSON text, what is Raw verbatim."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {written(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def nested(levels: int) -> Raw:
    return Raw("[" * levels + "]" * levels)


# --- what a schema allows -----------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.one_of(INTEGERS, st.floats(allow_nan=False, allow_infinity=False))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
_NOT_BLANK = TEXTS.filter(lambda text: text.strip("\x1c\x1d\x1e\x1f") and not text.isspace())
_URIS = st.builds("https://{}.example.org/{}".format, st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.integers(0, 99))
_SAYS_NOTHING = {"$schema", "$id", "title", "description", "definitions"}


def allowed_by(schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema allows, of the keywords that ours uses; any other fails, so that none is overlooked."""
    said = {key: value for key, value in schema.items() if key not in _SAYS_NOTHING}
    if "$ref" in said:
        return allowed_by(root["definitions"][said.pop("$ref").removeprefix("#/definitions/")], root)
    if "oneOf" in said:
        # Each variant says all that its part of the document must be.
        assert said.keys() == {"oneOf", "type", "required", "properties"}
        return st.one_of([allowed_by({"type": "object"} | variant, root) for variant in said["oneOf"]])
    if "anyOf" in said:
        return st.one_of([allowed_by(branch, root) for branch in said["anyOf"]])
    if "const" in said:
        return st.just(said["const"])
    made = _OF_TYPE[said.pop("type")](said, root)
    assert not said, f"not understood: {sorted(said)}"
    return made


def _objects(said: dict[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "properties" in said:
        assert said.pop("additionalProperties") is False
        fields = {name: allowed_by(schema, root) for name, schema in said.pop("properties").items()}
        required = set(said.pop("required"))
        return st.fixed_dictionaries(
            {name: made for name, made in fields.items() if name in required},
            optional={name: made for name, made in fields.items() if name not in required},
        )
    if not said:
        return st.dictionaries(TEXTS, ANYTHING, max_size=3)
    names, values = said.pop("propertyNames"), said.pop("additionalProperties")
    least = said.pop("minProperties")
    return st.dictionaries(allowed_by(names, root), allowed_by(values, root), min_size=least, max_size=4)


def _texts(said: dict[str, Any], _: Mapping[str, Any]) -> st.SearchStrategy[str]:
    longest = said.pop("maxLength", 20)
    if said.pop("format", None) == "uri":
        return _URIS
    assert said.pop("pattern") == r"\S"
    return st.one_of(_NOT_BLANK, st.just("é" * longest))


def _lists(said: dict[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(allowed_by(said.pop("items"), root), min_size=said.pop("minItems"), max_size=3)


_OF_TYPE = {
    "object": _objects,
    "string": _texts,
    "array": _lists,
    "boolean": lambda _said, _root: st.booleans(),
    "number": lambda _said, _root: NUMBERS,
    "integer": lambda said, _root: st.integers(said.pop("minimum"), said.pop("maximum")),
}

# --- what nobody should send ----------------------------------------------------------------------------------------

ODD_NUMBERS = [
    *("-0", "-0.0", "0e5", "1e400", "-1e400", "1e100000", "1e131000", "1e200000"),
    *("1e-320", "1e-400", "1e-401", "1e-16000", "1E5", "0.1e1", "01", "1.", "+1", "NaN", "Infinity", "-Infinity"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("18446744073709551615", "18446744073709551616", "9" * 40, "9" * 5000, "1." + "0" * 9000, "0." + "3" * 400),
    *("1e20", "1.5e308", "1.7976931348623158e308", "1.2345678901234567890123e22", "123456789012345678901.5"),
    *("12345678901234567890", "100000000000000000000.0"),
]
ODD_TEXTS = [
    *(r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"\udc00x"', r'"\ud83d\ude00"', r'"\ud83d\u0041"', '"NaN"'),
    *('""', '" "', r'"\u00a0"', r'"\u200b"', r'"\ufeff"', r'"\u001f"', r'"\u2028"', '"\\', '"\\x41"', '"\t"', "'x'"),
]
ODD_STRUCTURES = [
    *('{"a": 1, "a": 2}', '{"A": 1, "a": 2}', r'{"\u0000": 1}', r'{"\ud800": 1}', '{"": {"": ""}}', '{"a": '),
    *("null", "true", "{}", "[]", "nul", "", " ", "// x", "{'a': 1}", '"a" "b"', "[" * 40, "]", "\ufeff{}"),
    *("[1,]", "{1: 2}"),
]
DEEP = [nested(levels) for levels in (98, 99, 100, 101, 500, 501, 1001, 6001)] + [
    Raw('{"a": ' * 1500 + "1" + "}" * 1500),
    Raw('{"all": [' * 700 + "{}" + "]}" * 700),
    nested(100_000),
]
LARGE = [
    Raw('"' + "x" * 1_100_000 + '"'),
    Raw('"' + "é" * 530_000 + '"'),
    Raw('"' + " ".join(f"w{number}" for number in range(120_000)) + '"'),
    Raw("{" + ", ".join(f'"k{number}": {number}' for number in range(20_000)) + "}"),
    Raw("[" + ", ".join(f'"d{number}"' for number in range(60_000)) + "]"),
]
# Stored, 8 bytes each; written out, 131,001 digits: together more than PostgreSQL holds in one text.
GROWING = [
    Raw("[" + ", ".join(["1e131000"] * 20_000) + "]"),
    Raw("{" + ", ".join(f'"k{number}": 1e131000' for number in range(20_000)) + "}"),
]
ODD_KEYS = ["Framework", "framework ", "IS_EXTERNAL", "extra", "external_source_url", "", "n"]
SMALL = [Raw(text) for text in [*ODD_NUMBERS, *ODD_TEXTS, *ODD_STRUCTURES]]
HOSTILE = [*SMALL, *DEEP, *LARGE, *GROWING]


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document, the whole of it first."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in inner:
        yield from places(member, (*path, step))


@st.composite
def spoiled(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> str:
    """The text of a document with one thing or two changed, mostly for the worse."""
    document = draw(documents)
    for _ in range(draw(st.integers(1, 2))):
        document = _with_a_change(draw, document)
    text = written(document)
    match draw(st.sampled_from(["", "", "", "", "key twice", "cut off", "spaces"])):
        case "key twice" if text.startswith("{"):
            odd = draw(st.sampled_from(["null", "7", '"x"', "{}", "false"]))
            return f'{{"framework": {odd}, "is_external": {odd}, {text[1:]}'
        case "cut off":
            return text[: draw(st.integers(0, len(text)))]
        case "spaces":
            return f" \t{text} \r"
    return text


def _with_a_change(draw: st.DrawFn, document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    path = draw(st.sampled_from(list(places(document))))
    if not path:
        if draw(st.integers(0, 9)) == 0:
            return draw(st.one_of(ANYTHING, st.sampled_from(SMALL)))
        return document | {draw(st.sampled_from(ODD_KEYS)): draw(ANYTHING)}
    changed = deepcopy(document)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    match draw(st.sampled_from(["leave out", "other", "hostile", "hostile", "case"])):
        case "leave out":
            del holder[path[-1]]
        case "other":
            holder[path[-1]] = draw(ANYTHING)
        case "hostile":
            holder[path[-1]] = draw(st.sampled_from(SMALL))
        case "case" if isinstance(path[-1], str):
            holder[path[-1].swapcase()] = holder.pop(path[-1])
    return changed
