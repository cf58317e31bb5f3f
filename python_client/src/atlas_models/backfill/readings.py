"""What a legacy value can mean: every reader gives the possible values and says whether there is but one.

A reader takes a value and the argument of its rule. It answers None for a kind of value that it does not read at all
(a list where it reads texts), so that another rule of the same key may have its turn.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any, NamedTuple

from atlas_models.validation.limits import parse_document

MAX_URL_LENGTH = 2048

# Texts that stand where a fact should: they say that nobody knew.
PLACEHOLDERS = frozenset(
    [
        "-",
        "--",
        "?",
        "??",
        "???",
        "...",
        "…",
        "n/a",
        "na",
        "n.a.",
        "nan",
        "nil",
        "none",
        "null",
        "not available",
        "not known",
        "not specified",
        "tba",
        "tbc",
        "tbd",
        "to be defined",
        "todo",
        "unk",
        "unknown",
        "unspecified",
        "xxx",
    ]
)


class Reading(NamedTuple):
    """What a value can mean.

    values are the possible meanings, the likelier first; why is None when there is exactly one and nothing speaks
    against it, otherwise the reason for doubt, as a phrase that follows the value ("is a range").
    """

    values: tuple[Any, ...]
    why: str | None = None


def sure(value: Any) -> Reading:
    """Return the reading of a value that can only mean this."""
    # What Reading((value,)) does, in half the time: there is one for every fact of every document.
    return _new_tuple(Reading, ((value,), None))


_new_tuple = tuple.__new__


def doubtful(why: str, *values: Any) -> Reading:
    """Return the reading of a value that can mean several things, or may mean one, or none at all."""
    return Reading(values, why)


def is_absent(value: Any) -> bool:
    """Whether a value says nothing: null or a blank text."""
    return value is None or (type(value) is str and (not value or value.isspace()))


def read_text(value: Any, argument: Mapping[str, Any]) -> Reading | None:
    """Read a text; a list of one text is that text; a whole number is its digits where the argument says integers."""
    if type(value) is list and len(value) == 1 and type(value[0]) is str:
        value = value[0]
    if type(value) is int and argument.get("integers"):
        return sure(str(value))
    if type(value) is not str:
        return None
    text = value.strip()
    if text.lower() in PLACEHOLDERS:
        return doubtful("is a placeholder, not a fact")
    return sure(text)


def read_texts(value: Any, argument: Mapping[str, Any]) -> Reading | None:
    """Read a text or a list of texts; blank ones in the list count as absent."""
    if type(value) is not list:
        return read_text(value, argument)
    if any(item is not None and type(item) is not str for item in value):
        return doubtful("is a list that holds more than texts")
    texts = [item.strip() for item in value if not is_absent(item)]
    if not texts:
        return doubtful("is an empty list")
    if any(text.lower() in PLACEHOLDERS for text in texts):
        return doubtful("lists a placeholder, not a fact")
    return sure(value if texts == value else texts)


_WORDS = {"true": True, "yes": True, "y": True, "t": True, "1": True}
_WORDS |= {"false": False, "no": False, "n": False, "f": False, "0": False}


def read_boolean(value: Any, _argument: Mapping[str, Any]) -> Reading | None:
    """Read true, false, 1, 0 and the words yes, no, y, n, t, f in any case."""
    if type(value) is bool:
        return sure(value)
    if type(value) not in (int, str):
        return None
    word = _WORDS.get(str(value).strip().lower())
    return doubtful("is no word for yes or no") if word is None else sure(word)


def read_object(value: Any, _argument: Mapping[str, Any]) -> Reading | None:
    """Read an object, or a text that is the JSON of one."""
    document = embedded_json(value)
    return sure(document) if type(document) is dict else None


def embedded_json(value: Any) -> Any:
    """Return what a text that is the JSON of an object or a list says; any other value as it is."""
    if type(value) is str and value.lstrip()[:1] in ("{", "["):
        try:
            return parse_document(value)
        except ValueError:
            return value
    return value


# --- words ----------------------------------------------------------------------------------------------------------


def as_word(value: Any) -> str | None:
    """Write a value as keys and words are compared: lower case, spaces and hyphens as underscores; None for no word."""
    if type(value) is str:
        return value.strip().lower().replace(" ", "_").replace("-", "_")
    if type(value) is bool or type(value) is int:
        return str(value).lower()
    return None


def read_mapped(value: Any, argument: Mapping[str, Any]) -> Reading | None:
    """Read a value that the argument's values (word → meaning) list; any other is left to the next rule."""
    word = as_word(value)
    values = argument["values"]
    return sure(values[word]) if word in values else None


def as_phrase(text: str) -> str:
    """Write a text as its words in lower case, one space around each."""
    return " " + " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split()) + " "


def read_contained(value: Any, argument: Mapping[str, Any]) -> Reading | None:
    """Read a text in which a phrase of the argument's values (phrase → meaning) stands, as whole words."""
    if type(value) is not str:
        return None
    text = as_phrase(value)
    found: list[Any] = []
    for phrase, meaning in argument["values"].items():
        if phrase in text and meaning not in found:
            found.append(meaning)
    if not found:
        return None
    return sure(found[0]) if len(found) == 1 else doubtful("holds phrases that mean different things", *found)


def read_implied(value: Any, argument: Mapping[str, Any]) -> Reading | None:
    """Read the argument's value from the presence of a fact; false, a placeholder or what is empty is no presence."""
    if value is False or value in ({}, []) or (type(value) is str and value.strip().lower() in PLACEHOLDERS):
        return None
    return sure(argument["value"])


# --- addresses ------------------------------------------------------------------------------------------------------

_ABSOLUTE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"{}|\\^`]+")
_USER = re.compile(r"(?<=://)[^/\s?#]+(?=@)")
_SECRET = re.compile(
    r"(?<=[?&;])((?:[a-z_-]*token|[a-z_-]*api_?key|key|[a-z_-]*password|pass|passwd|pwd|[a-z_-]*secret|sig|signature"
    r"|x-amz-[a-z-]+|auth)=)[^&;\s#]+",
    re.IGNORECASE,
)


def read_url(value: Any, _argument: Mapping[str, Any]) -> Reading | None:
    """Read an absolute URL without credentials."""
    if type(value) is not str:
        return None
    text = value.strip()
    if not _ABSOLUTE_URL.fullmatch(text):
        return doubtful("is no absolute URL")
    if masked(text) != text:
        return doubtful("is a URL with credentials, which are not taken over")
    return sure(text) if len(text) <= MAX_URL_LENGTH else doubtful(f"is longer than {MAX_URL_LENGTH} characters")


def masked(text: str) -> str:
    """Return a text with the credentials of the URLs in it masked: who logs in, and what a query calls a secret."""
    if "://" not in text:
        return text
    if "@" in text:
        text = _USER.sub(_masked_user, text)
    return _SECRET.sub(r"\1***", text) if "=" in text else text


def _masked_user(match: re.Match[str]) -> str:
    return "git" if match.group() == "git" else "***"


def outside_host(value: Any, own: Mapping[str, Any]) -> str | None:
    """Return the host of another's that an address leads to; None when it leads nowhere outside.

    own names hosts and schemes that are the user's: ``{"hosts": [...], "schemes": [...]}``. A host without a dot is of
    the own network; an address without a scheme has a host when what stands before its first slash has a dot.
    """
    text = str(value).strip().lower()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
        if "/" not in text or text[0] in "./~\\" or text[1:2] == ":":
            return None
    elif scheme in own.get("schemes", ()):
        return None
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
    if scheme in ("", "http", "https", "ftp", "git", "ssh") and "." not in host:
        return None
    hosts = own.get("hosts", ())
    if any(host == known or host.endswith("." + known) for known in hosts):
        return None
    return host or scheme


# --- times ----------------------------------------------------------------------------------------------------------

_ISO_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBERED_DAY = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d\d)(?:[T ,].*)?", re.ASCII | re.DOTALL)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?", re.ASCII)


def read_timestamp(value: Any, argument: Mapping[str, Any]) -> Reading | None:
    """Read a whole ISO 8601 date-time; one without an offset is of the argument's zone (UTC or ±HH:MM).

    A day written in numbers (01/05/2024) has several readings; a day alone, a day in words and a number of seconds
    or milliseconds are no certain moment, and have none.
    """
    if type(value) is not str:
        return doubtful("is a number, whose unit and start nothing tells") if type(value) in (int, float) else None
    text = value.strip()
    moment = _moment(text, argument.get("zone"))
    if moment is not None:
        return sure(moment)
    days = _numbered_days(text)
    if len(days) > 1:
        return doubtful("can be read as different days", *days)
    return doubtful("is no date and time in ISO 8601")


def is_moment(value: Any) -> bool:
    """Whether a value is a date-time with an offset, or a day, as a person may state it."""
    if type(value) is not str:
        return False
    return _moment(value, None) is not None or (_ISO_DAY.fullmatch(value) is not None and _is_day(value))


def as_utc(text: str) -> datetime:
    """Return the moment that a text accepted by is_moment() names; a day begins at midnight UTC."""
    moment = datetime.fromisoformat(_moment(text, None) or text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def zone_of(name: str) -> timezone | None:
    """Return the zone of a name: UTC, Z or an offset such as +02:00; None for any other."""
    if name.upper() in ("UTC", "Z"):
        return timezone.utc
    offset = _OFFSET.fullmatch(name)
    if offset is None:
        return None
    sign, hours, minutes = offset.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(ahead if sign == "+" else -ahead) if ahead < timedelta(hours=16) else None


def _moment(text: str, zone: str | None) -> str | None:
    found = _ISO_TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if offset is None and zone is None:
        return None
    tz = zone_of(offset or zone or "")
    microseconds = int((fraction or "").ljust(6, "0")[:6])
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), microseconds, tz)
    except ValueError:
        return None
    return moment.isoformat() if tz else None


def _numbered_days(text: str) -> list[str]:
    found = _NUMBERED_DAY.fullmatch(text)
    if found is None:
        return []
    first, _, second, last = found.groups()
    year = last if len(last) == 4 else f"20{last}"
    days = [f"{year}-{second:0>2}-{first:0>2}", f"{year}-{first:0>2}-{second:0>2}"]
    if len(last) == 2:
        days.append(f"20{first:0>2}-{second:0>2}-{last}")
    return [day for day in dict.fromkeys(days) if _is_day(day)]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
