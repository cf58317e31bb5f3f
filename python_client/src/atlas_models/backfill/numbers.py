"""What counts and metrics can mean: "1.2M", "86,567,656", "91.2%", and what cannot be told.

A text is read by two customs, 1,234.5 and 1.234,5. Where they disagree there are two readings.
"""

import itertools
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from atlas_models.backfill.readings import Reading, doubtful, embedded_json, is_absent, sure

MAX_COUNT = 2**63 - 1
MAX_NUMBER_TEXT = 64
MAX_COMBINATIONS = 8

_DOT_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_COMMA_DECIMAL = re.compile(r"[0-9]+(?:,[0-9]+)?|[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]+)?")
_SPACED = re.compile(r"[1-9][0-9]{0,2}([ _'\u00a0\u2009\u202f])[0-9]{3}(?:\1[0-9]{3})*")
_SCIENTIFIC = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)e[+-]?[0-9]{1,3}", re.IGNORECASE)

_ABOUT = (
    r"(?P<about>[~≈<>≤≥]=?|±|about|approx(?:imately)?\.?|around|circa|ca?\.|over|under|nearly|almost|more than|up to)?"
)
_NUMBER = r"(?P<number>[0-9.](?:[0-9.,_'\u00a0\u2009\u202f ]*[0-9])?\.?(?:e[+-]?[0-9]+)?)"
_UNIT = r"(?P<unit>k|m|mn|mio\.?|b|bn|t|thousand|million|billion|trillion)?"
_COUNT = re.compile(rf"{_ABOUT} *{_NUMBER} *{_UNIT}(?P<more>\+)? *(?:parameters?|params?\.?)?", re.IGNORECASE)
_RANGE = re.compile(
    r"(?P<low>.*?[^-\u2013\u2014\s]) *(?:-|\u2013|\u2014|\.\.\.?| to ) *(?P<high>[0-9.].*)", re.IGNORECASE
)
_METRIC = re.compile(rf"{_ABOUT} *(?P<sign>[+\u2212-]?){_NUMBER} *(?P<percent>%|percent|pct\.?)?", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_SPREAD = re.compile(r"(?P<value>[^±]+?) *(?:±|\+/-|\(|\[).*", re.DOTALL)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_SAYS_PERCENT = re.compile(r"%|percent|pct|(?:^|[^a-z])perc(?:$|[^a-z])", re.IGNORECASE)

_UNITS = {"k": 10**3, "thousand": 10**3, "m": 10**6, "mn": 10**6, "mio": 10**6, "million": 10**6}
_UNITS |= {"b": 10**9, "bn": 10**9, "billion": 10**9, "t": 10**12, "trillion": 10**12}


# --- counts ---------------------------------------------------------------------------------------------------------


def read_count(value: Any, argument: Mapping[str, Any]) -> Reading | None:
    """Read a number of things: a whole number, or a text such as 12k, 1.2M, 86,567,656 or 86.6 M params.

    The argument's times is the unit of the key (1000000 for a key that counts millions).
    """
    times = argument.get("times", 1)
    if type(value) is int:
        return sure(value if times == 1 else value * times)
    if type(value) is float:
        whole = _whole(Decimal(repr(value)) * times)
        return doubtful("is a fraction, and a count is a whole number") if whole is None else sure(whole)
    if type(value) is not str:
        return None
    text = value.strip()
    if len(text) > MAX_NUMBER_TEXT:
        return doubtful("is too long for a number")
    return _one_count(text, times) or _count_range(text, times) or doubtful("is no whole number that can be read")


def _one_count(text: str, times: int) -> Reading | None:
    found = _COUNT.fullmatch(text)
    if found is None:
        return None
    unit = _UNITS[found["unit"].lower().rstrip(".")] if found["unit"] else 1
    if unit > 1 and times > 1 and unit != times:
        numbers = [number for number in _by_custom(found["number"]) if number is not None]
        products = dict.fromkeys(_whole(number * factor) for number in numbers for factor in (unit, times))
        return doubtful("names a unit, and so does its key", *(count for count in products if count is not None))
    unit = max(unit, times)
    counts, why = _counts(found["number"], unit, grouped=unit == 1)
    if why is None and (found["about"] or found["more"]):
        why = "is no exact number"
    return Reading(counts, why)


def _counts(number: str, unit: int, *, grouped: bool) -> tuple[tuple[int, ...], str | None]:
    by_dot, by_comma = (None if value is None else _whole(value * unit) for value in _by_custom(number))
    if "," not in number and by_dot is not None:
        return (by_dot,), None
    both = tuple(dict.fromkeys(count for count in (by_dot, by_comma) if count is not None))
    if len(both) == 2:
        return both, "can be read as different numbers"
    if not both:
        return (), "is no whole number that can be read"
    # 1.234 may be a fraction of something as well; 1.234.567 may not.
    if grouped and by_dot is None and number.count(".") == 1 and "," not in number:
        return both, "may have a dot between thousands, or be a fraction"
    return both, None


def _count_range(text: str, times: int) -> Reading | None:
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    low, high = _COUNT.fullmatch(found["low"]), _COUNT.fullmatch(found["high"])
    if low is None or high is None:
        return None
    shared = low["unit"] or high["unit"] or ""
    ends = [_one_count(f"{end['number']}{end['unit'] or shared}", times) for end in (low, high)]
    counts = tuple(dict.fromkeys(count for end in ends if end is not None for count in end.values))
    return Reading(counts, "names a range, not a number")


def _whole(number: Decimal) -> int | None:
    if not number.is_finite() or number.adjusted() > 19 or number != number.to_integral_value():
        return None
    whole = int(number)
    return whole if whole <= MAX_COUNT else None


def _by_custom(number: str) -> tuple[Decimal | None, Decimal | None]:
    """Read a number by the custom 1,234.5 and by the custom 1.234,5; None where it does not follow the custom."""
    if _SCIENTIFIC.fullmatch(number):
        return Decimal(number), None
    if _SPACED.fullmatch(number):
        return Decimal(re.sub(r"[^0-9]", "", number)), None
    by_dot = Decimal(number.replace(",", "")) if _DOT_DECIMAL.fullmatch(number) else None
    by_comma = Decimal(number.replace(".", "").replace(",", ".")) if _COMMA_DECIMAL.fullmatch(number) else None
    return by_dot, by_comma


# --- metrics --------------------------------------------------------------------------------------------------------


def read_metrics(value: Any, _argument: Mapping[str, Any]) -> Reading | None:
    """Read metrics: an object name → number, or a list of objects with a name and a value; numbers may be texts."""
    document = embedded_json(value)
    if type(document) is dict:
        if document and all(type(number) is float or type(number) is int for number in document.values()):
            return sure(document)
        return _combined([(str(name), number) for name, number in document.items()])
    if type(document) is list:
        return _listed_metrics(document)
    return doubtful("is a number without a name") if type(document) in (int, float) else None


def read_metric(value: Any, argument: Mapping[str, Any]) -> Reading | None:
    """Read one metric, whose name the argument gives."""
    return None if type(value) in (dict, list) else _combined([(argument["name"], value)])


_NAME_KEYS = ("name", "metric", "metric_name", "key")


def _listed_metrics(entries: list[Any]) -> Reading:
    pairs: list[tuple[str, Any]] = []
    why = None
    for entry in entries:
        keys = {key.strip().lower(): key for key in entry} if type(entry) is dict else {}
        name = next((entry[keys[key]] for key in _NAME_KEYS if key in keys), None)
        if type(name) is not str or is_absent(name) or "value" not in keys:
            return doubtful("is a list of something else than names with values")
        if len(keys) > 2 and why is None:
            why = "says more of a metric than its name and value"
        pairs.append((name.strip(), entry[keys["value"]]))
    reading = _combined(pairs)
    return reading if why is None or reading.why else Reading(reading.values, why)


def _combined(pairs: list[tuple[str, Any]]) -> Reading:
    """Combine the readings of single metrics; a name that occurs twice with different values has both."""
    options: dict[str, list[Any]] = {}
    reasons: list[str] = []
    for name, value in pairs:
        if is_absent(value):
            continue
        reading = _read_number(name, value)
        if reading.why is not None:
            reasons.append(f"{name!r} {reading.why}")
        known = options.setdefault(name, [])
        if known and reading.values and known != list(reading.values):
            reasons.append(f"{name!r} occurs twice with different values")
        known.extend(number for number in reading.values if number not in known)
    readable = {name: numbers for name, numbers in options.items() if numbers}
    if not readable:
        return doubtful("; ".join(reasons[:3]) if reasons else "names no metric")
    if not reasons:
        return sure({name: numbers[0] for name, numbers in readable.items()})
    products = itertools.islice(itertools.product(*readable.values()), MAX_COMBINATIONS)
    return doubtful("; ".join(reasons[:3]), *(dict(zip(readable, numbers, strict=True)) for numbers in products))


def _read_number(name: str, value: Any) -> Reading:
    if type(value) is int or type(value) is float:
        return sure(value)
    if type(value) is not str:
        return doubtful("is no number")
    text = value.strip()
    if _NOT_FINITE.fullmatch(text):
        return doubtful("is not a finite number")
    if len(text) > MAX_NUMBER_TEXT:
        return doubtful("is too long for a number")
    number, percent = (text[:-1].rstrip(), True) if text[-1] == "%" else (text, False)
    if _PLAIN_NUMBER.fullmatch(number):
        value = _json_number(number)
        if value is None:
            return doubtful("is not a finite number")
        return _percentage(name, value, number) if percent else sure(value)
    return _one_metric(name, text) or _imprecise_metric(name, text) or doubtful("is no number that can be read")


def _json_number(number: str) -> int | float | None:
    """Return the number that a plain text writes, as JSON would have it; None for one that is not finite."""
    if number.lstrip("+-").isdigit() and len(number) < 19:
        return int(number)
    value = float(number)
    return value if value - value == 0 else None


def _percentage(name: str, value: int | float, number: str) -> Reading:
    """Turn percents into a fraction, and doubt it where the number or the name says that it may be none."""
    fraction = float(f"{number}e-2") if "e" not in number.lower() else value / 100
    if _SAYS_PERCENT.search(name):
        return doubtful("is a percentage under a name that already says percent", fraction, value)
    if 0 < abs(value) < 1:
        return doubtful("is below one percent, or a fraction with a percent sign", fraction, value)
    return sure(fraction)


def _one_metric(name: str, text: str) -> Reading | None:
    found = _METRIC.fullmatch(text)
    if found is None:
        return None
    by_dot, by_comma = _by_custom(found["number"])
    if by_dot is not None and "," not in found["number"]:
        by_comma = None
    sign = "-" if found["sign"] in ("-", "\u2212") else ""
    numbers = dict.fromkeys(f"{sign}{number}" for number in (by_dot, by_comma) if number is not None)
    why = "is no exact number" if found["about"] else None
    if len(numbers) > 1:
        why = "can be read as different numbers"
    values: list[int | float] = []
    for number in numbers:
        value = _json_number(number)
        if value is None:
            continue
        reading = _percentage(name, value, number) if found["percent"] else sure(value)
        values += reading.values
        why = why or reading.why
    return Reading(tuple(values), why if values else "is no number that can be read")


def _imprecise_metric(name: str, text: str) -> Reading | None:
    spread = _SPREAD.fullmatch(text)
    if spread is not None and (reading := _one_metric(name, spread["value"].strip())) is not None:
        return Reading(reading.values, "says more than one number")
    ends = _RANGE.fullmatch(text)
    if ends is None:
        return None
    readings = [_one_metric(name, ends[end]) for end in ("low", "high")]
    numbers = dict.fromkeys(number for reading in readings if reading is not None for number in reading.values)
    return doubtful("names a range, not a number", *numbers) if all(readings) else None
