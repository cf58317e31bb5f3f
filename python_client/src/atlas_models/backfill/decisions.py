"""Decides what several values for one field amount to: one value that all agree on, or a question."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from atlas_models.backfill.code_links import same_repository
from atlas_models.backfill.legacy_documents import Entry, same
from atlas_models.backfill.readings import Reading, as_word
from atlas_models.backfill.rules import FALLBACK, IMPLIED, STATED, SUGGESTED, Rule, RuleBook


class Candidate(NamedTuple):
    """One value that the row offers for a field: by which rule, from which fact or else column, read how."""

    rule: Rule
    entry: Entry | None
    column: str | None
    raw: Any
    reading: Reading

    @property
    def where(self) -> str:
        """The JSON pointer of the fact, or the column."""
        return self.column or "" if self.entry is None else self.entry.where


class Decision(NamedTuple):
    """What candidates amount to: a value and those that agree on it, or why not and which are to be shown."""

    value: Any
    candidates: list[Candidate]
    why: str | None = None
    must_be_asked: bool = False


def decide(field: str, candidates: list[Candidate], rules: RuleBook) -> Decision:
    """Decide by the weightiest candidates that can be read at all; a suggestion decides nothing."""
    unreadable: list[Candidate] = []
    for weight in (STATED, IMPLIED, FALLBACK):
        pool = [one for one in candidates if one.rule.weight == weight]
        readable = [one for one in pool if one.reading.values]
        if readable:
            decision = _agreement(field, readable)
            if weight == STATED and decision.value is not None:
                return _unless_contradicted(field, decision, candidates, rules)
            return decision
        unreadable += pool
    suggested = [one for one in candidates if one.rule.weight == SUGGESTED]
    if unreadable:
        first = unreadable[0]
        return Decision(None, unreadable + suggested, f"{first.where} {first.reading.why}")
    if suggested:
        names = _listed([one.where for one in suggested])
        return Decision(None, suggested, f"{names} may say it, and nothing says it for certain")
    return Decision(None, [])


def _agreement(field: str, readable: list[Candidate]) -> Decision:
    certain = [one for one in readable if one.reading.why is None]
    open_ones = [one for one in readable if one.reading.why is not None]
    if not certain:
        first = open_ones[0]
        return Decision(None, open_ones, f"{first.where} {first.reading.why}", must_be_asked=True)
    value = certain[0].reading.values[0]
    for one in certain[1:]:
        value = agreed(
            field, value, one.reading.values[0], joins="metric" in (certain[0].rule.transform, one.rule.transform)
        )
        if value is None:
            break
    if value is None or any(
        all(agreed(field, value, reading) is None for reading in one.reading.values) for one in open_ones
    ):
        ones = certain + open_ones
        return Decision(None, ones, f"{_listed(list(what_was_seen(ones)))} disagree", must_be_asked=True)
    return Decision(value, readable)


def _unless_contradicted(field: str, decision: Decision, candidates: list[Candidate], rules: RuleBook) -> Decision:
    """What is stated stands, unless it could follow from a fact, and from the facts of this row another one follows."""
    known = rules.known.get(field)
    if known is None:
        return decision
    meant = known.get(as_word(decision.value) if type(decision.value) is str else decision.value)
    if meant is None:
        return decision
    others = [
        one
        for one in candidates
        if one.rule.weight == IMPLIED and not any(same(meant, reading) for reading in one.reading.values)
    ]
    if not others:
        return decision
    ones = decision.candidates + others
    return Decision(None, ones, f"{_listed(list(what_was_seen(ones)))} disagree", must_be_asked=True)


_WORD_FIELDS = ("model_family", "framework", "task", "license")


def agreed(field: str, one: Any, other: Any, *, joins: bool = False) -> Any:
    """Return the value that two readings agree on (the one that says more, else the first); None where they do not."""
    if same(one, other):
        return one
    if type(one) is dict and type(other) is dict:
        shared = one.keys() & other.keys()
        if not all(same(one[key], other[key]) for key in shared):
            return None
        if len(shared) == len(other):
            return one
        return other if len(shared) == len(one) else {**one, **other} if joins else None
    if type(one) is str and type(other) is str:
        if field in _WORD_FIELDS and as_word(one) == as_word(other):
            return one
        return one if field == "code_repo_url" and same_repository(one, other) else None
    if type(one) is list or type(other) is list:
        return one if same(one if type(one) is list else [one], other if type(other) is list else [other]) else None
    return None


def what_was_seen(candidates: Iterable[Candidate]) -> dict[str, Any]:
    """Return place → legacy value of the candidates; a place with several values is numbered."""
    seen: dict[str, Any] = {}
    for one in candidates:
        where, number = one.where, 1
        while where in seen and not same(seen[where], one.raw):
            number += 1
            where = f"{one.where} ({number})"
        seen[where] = one.raw
    return seen


def possible_values(candidates: Iterable[Candidate]) -> Iterator[Any]:
    """All the readings of the candidates."""
    return (value for one in candidates for value in one.reading.values)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
