"""Normalises one legacy row: what it says in the registry's terms, by which rules, and what a person is to be asked.

Nothing is lost and nothing is guessed; docs/backfill_rules.md has the long form. A fact that has one reading becomes a
field; a fact without a field goes into ``extra`` under its own key; two readings, or two facts that disagree, become a
question, and wait in ``extra`` as they were until it is answered.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from atlas_models.backfill.code_links import Code, is_commit_sha, is_repository_url
from atlas_models.backfill.decisions import (
    Candidate,
    agreed,
    decide,
    possible_values,
    what_was_seen,
)
from atlas_models.backfill.legacy_documents import Entry, UnusableError, read_entries, same
from atlas_models.backfill.quoting import quotable, quote
from atlas_models.backfill.readings import (
    Reading,
    as_utc,
    as_word,
    doubtful,
    is_absent,
    is_moment,
    outside_host,
)
from atlas_models.backfill.rules import (
    COLUMNS,
    IN_SERVICE,
    SUGGESTED,
    TIME_COLUMNS,
    Rule,
    RuleBook,
)
from atlas_models.validation.engine import json_pointer, parse_json
from atlas_models.validation.limits import (
    MAX_BYTES,
    MAX_DEPTH,
)
from atlas_models.validation.metadata import find_problems

MAX_CHANGES = 1000

# The names under which a change is recorded that no rule of the table made.
ABSENT = "absent"
ANSWER = "answer"
ROUNDED = "rounded"
DUPLICATE = "duplicate"
UNLISTED = "unlisted"
UNREAD = "unread"
# The key in extra of what is said in place of a commit.
CODE_REF = "code_ref"
_WORD_TRANSFORMS = ("map", "contains")
NOTHING_SAYS_IT = "nothing in the row says it"


class SchemaGuide(NamedTuple):
    """The current metadata schema, and what normalising needs to know of it.

    required names the required fields by the value of is_external (None: not known yet); external_only those that an
    internal model may not have; lengths the most characters of a text field; fillers a valid value of what is required.
    """

    validator: Any
    schema: Any
    fields: frozenset[str]
    required: Mapping[bool | None, tuple[str, ...]]
    external_only: frozenset[str]
    lengths: Mapping[str, int]
    fillers: Mapping[str, Any]


def read_schema(validator: Any, schema: Any) -> SchemaGuide:
    """Prepare a parsed metadata schema, and the validator compiled from it, for normalise()."""
    variants = {variant["properties"]["is_external"]["const"]: variant for variant in schema["oneOf"]}
    required: dict[bool | None, tuple[str, ...]] = {kind: tuple(v["required"]) for kind, v in variants.items()}
    required[None] = tuple(name for name in required[True] if name in required[False])
    properties = variants[False]["properties"] | variants[True]["properties"]
    lengths = {}
    for name, definition in properties.items():
        target = schema["definitions"].get(definition.get("$ref", "").rpartition("/")[2], definition)
        if "maxLength" in target:
            lengths[name] = target["maxLength"]
    external_only = frozenset(variants[True]["properties"]) - frozenset(variants[False]["properties"])
    fillers = {name: _FILLERS.get(name, "text") for name in (*required[True], *required[False])}
    return SchemaGuide(validator, schema, frozenset(properties), required, external_only, lengths, fillers)


# To ask whether a document is valid but for what is missing, which is far cheaper than to list what is wrong with it.
_FILLERS: dict[str, Any] = {
    "is_external": False,
    "parameter_count": 0,
    "evaluation_metrics": {"metric": 0},
    "external_source_url": "urn:x:y",
}


def normalise(
    metadata: str | None,
    facts: Mapping[str, Any],
    rules: RuleBook,
    answers: Mapping[str, Any],
    guide: SchemaGuide,
) -> dict[str, Any]:
    """Normalise one row. Pure, and never raises for what the row holds.

    Args:
        metadata: The legacy JSON text as it stood; None for NULL.
        facts: Column → value of the row's other columns, without those that only hold the column's default.
        rules: The compiled rules.
        answers: Field or column → what a person decided; None leaves it out; objects are merged (RFC 7396).
        guide: The current schema.

    Returns:
        metadata (None when it cannot be used at all), columns, promoted_by, changes, questions and valid.
    """
    try:
        entries = read_entries(metadata)
    except UnusableError as unusable:
        if not answers:
            return _unusable(unusable)
        row = _Row([], facts, rules, answers, guide)
        row.start_anew(unusable)
    else:
        row = _Row(entries, facts, rules, answers, guide)
    return row.result(is_large=metadata is None or bool(answers) or _may_break_limits(metadata))


def normalise_json(
    metadata: str | None, facts: str | None, rules: RuleBook, answers: str | None, guide: SchemaGuide
) -> str:
    """Do what normalise() does with facts, answers and result as JSON texts.

    Raises ValueError when facts or answers are given and are no object.
    """
    result = normalise(metadata, _object("facts", facts), rules, _object("answers", answers), guide)
    return _write_json(result)


_write_json = json.JSONEncoder(check_circular=False, allow_nan=False).encode


def _object(name: str, text: str | None) -> dict[str, Any]:
    value = {} if text is None or text == "{}" else parse_json(text)
    if type(value) is not dict:
        raise ValueError(f"{name} must be an object")
    return value


def _may_break_limits(text: str) -> bool:
    """Whether what becomes of a text could be larger or deeper than allowed: numbers grow when they are written out."""
    return len(text) > MAX_BYTES // 64 or text.count("{") + text.count("[") >= MAX_DEPTH - 1


# --- one row --------------------------------------------------------------------------------------------------------


class _Row:
    """The work on one row; every method adds to what result() returns."""

    def __init__(
        self,
        entries: list[Entry],
        facts: Mapping[str, Any],
        rules: RuleBook,
        answers: Mapping[str, Any],
        guide: SchemaGuide,
    ) -> None:
        self.entries = entries
        self.facts = facts
        self.rules = rules
        self.answers = answers
        self.guide = guide
        self.document: dict[str, Any] = {}
        self.extra: dict[str, Any] = {}
        self.columns: dict[str, Any] = {}
        self.promoted_by: str | None = None
        self.changes: list[dict[str, Any]] = []
        self.questions: dict[str, dict[str, Any]] = {}
        self.extra_questions: list[dict[str, Any]] = []
        self.candidates: dict[str, list[Candidate]] = {}
        self.taken: dict[str, list[Candidate]] = {}
        self.settled: set[str] = set()
        self.of_origin: list[Entry] = []
        self.extra_paths: dict[str, tuple[str, ...]] = {}
        self.unlisted = 0

    def start_anew(self, unusable: UnusableError) -> None:
        """Begin with an empty document in place of one that cannot be used; what can be kept of it is."""
        if unusable.value is not None:
            self.extra["legacy_metadata"] = unusable.value
            self.moved(ANSWER, "", "extra")
        elif unusable.seen is not None:
            self.change(ANSWER, "", None, unusable.seen, None)

    def result(self, *, is_large: bool) -> dict[str, Any]:
        """Normalise, and return everything that is to be said about the row; a large one has its limits checked."""
        for entry in self.entries:
            self._match(entry)
        self._match_columns()
        self._settle("is_external")
        self._default_is_external()
        for field in [*self.candidates, *self.answers]:
            self._settle(field)
        self._check_columns()
        for entry in self.entries:
            self._keep(entry)
        self._answer_extra()
        if self.extra or "extra" in self.document:
            self.document["extra"] = self.extra
        valid = self._validate(is_large)
        if self.unlisted:
            self.changes.append({"rule": UNLISTED, "from": "", "to": None, "was": self.unlisted, "now": None})
        questions = sorted(self.questions.values(), key=lambda question: str(question["field"]))
        return {
            "metadata": self.document,
            "columns": self.columns,
            "promoted_by": self.promoted_by,
            "changes": self.changes,
            "questions": questions + self.extra_questions,
            "valid": valid,
        }

    def change(self, rule: str, where: str, to: str | None, was: Any, now: Any) -> None:
        """Record that a value changed, or came to be, or is no more."""
        if len(self.changes) < MAX_CHANGES:
            self.changes.append({"rule": rule, "from": where, "to": to, "was": quote(was), "now": quote(now)})
        else:
            self.unlisted += 1

    def moved(self, rule: str, where: str, to: str) -> None:
        """Record that a value only changed its place."""
        if len(self.changes) < MAX_CHANGES:
            self.changes.append({"rule": rule, "from": where, "to": to})
        else:
            self.unlisted += 1

    def ask(self, field: str, seen: Mapping[str, Any], readings: Iterable[Any], why: str) -> None:
        """Ask a person about a field, unless they are being asked already."""
        if field not in self.questions:
            shown = {where: quote(value) for where, value in seen.items()}
            self.questions[field] = {"field": field, "seen": shown, "readings": quotable(readings), "why": why}

    # What the row offers.

    def _match(self, entry: Entry) -> None:
        if entry.is_absent:
            return
        value = entry.value
        use = self.rules.use_of(entry.path)
        if use.speaks_of_origin:
            self.of_origin.append(entry)
        if use.rules:
            self._apply(use.rules, entry, value)
        if use.is_prefix and type(value) is dict:
            entry.inner = []
            for inner_key, inner_value in value.items():
                inner = Entry((*entry.path, inner_key), inner_value)
                inner.doubt = entry.doubt
                self._match(inner)
                if inner.offered or inner.inner is not None:
                    entry.inner.append(inner)

    def _apply(self, rules: Iterable[Rule], entry: Entry, value: Any) -> None:
        """Offer the fact to the fields of its key's rules; of those that use it up, to the first that can read it."""
        unread: Rule | None = None
        used_up = False
        for rule in rules:
            if used_up and rule.takes:
                continue
            reading = rule.read(value, rule.argument)
            if reading is not None:
                if rule.takes:
                    used_up = True
                self._offer(Candidate(rule, entry, None, value, reading))
            elif unread is None and rule.takes and rule.transform not in _WORD_TRANSFORMS:
                unread = rule
        if unread is not None and not used_up:
            kind = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}.get(
                type(value), "a number"
            )
            self._offer(Candidate(unread, entry, None, value, doubtful(f"is {kind}")))

    def _match_columns(self) -> None:
        for column, rules in self.rules.by_column.items():
            value = self.facts.get(column)
            if not is_absent(value):
                for rule in rules:
                    reading = rule.read(value, rule.argument)
                    if reading is not None:
                        self._offer(Candidate(rule, None, column, value, reading))

    def _offer(self, candidate: Candidate) -> None:
        rule, entry, _, raw, (values, why) = candidate
        if rule.fault is not None:
            self.ask(rule.field, {candidate.where: raw}, [], f"the rule {rule.name} cannot work: {rule.fault}")
            return
        if why is None and entry is not None and entry.doubt is not None:
            candidate = candidate._replace(reading=doubtful(entry.doubt, *values))
        if values:
            first = values[0]
            if type(first) is Code:
                for field, part in _parts(first):
                    self._add(field, candidate._replace(reading=Reading((part,), candidate.reading.why)))
                return
            longest = self.guide.lengths.get(rule.field)
            if longest is not None and type(first) is str and len(first) > longest:
                candidate = candidate._replace(reading=doubtful(f"is longer than {longest} characters"))
        self._add(rule.field, candidate)

    def _add(self, field: str, candidate: Candidate) -> None:
        entry = candidate.entry
        if entry is not None and candidate.rule.takes:
            entry.offered += 1
        known = self.candidates.get(field)
        if known is None:
            self.candidates[field] = [candidate]
        else:
            known.append(candidate)

    # What follows from it, field by field.

    def _settle(self, field: str) -> None:
        """Decide a field once: by the answer, else by what the row offers, else ask or leave it out."""
        if field in self.settled or field == "extra":
            return
        self.settled.add(field)
        candidates = self.candidates.get(field) or []
        if field in self.guide.external_only and self.document.get("is_external") is not True:
            # Under another key, or in a column, it may as well speak of the source of a base.
            candidates = [one for one in candidates if one.entry is not None and as_word(one.entry.path[-1]) == field]
        if len(candidates) == 1 and field not in self.answers:
            rule, _, _, _, reading = candidates[0]
            if reading.why is None and rule.weight < SUGGESTED:
                self._take(field, reading.values[0], candidates)
                return
        decision = decide(field, candidates, self.rules)
        if field in self.answers:
            self._answer(field, decision.value, candidates)
        elif decision.value is not None:
            self._take(field, decision.value, decision.candidates)
        elif decision.why is not None and field != CODE_REF and (decision.must_be_asked or field in self._required()):
            self.ask(field, what_was_seen(decision.candidates), possible_values(decision.candidates), decision.why)

    def _answer(self, field: str, decided: Any, candidates: list[Candidate]) -> None:
        self.questions.pop(field, None)
        answer = self.answers[field]
        value = _merge_patch(decided, answer)
        if value is None:
            self.change(ANSWER, ANSWER, field, decided, None)
            return
        agreeing = [
            one for one in candidates if any(agreed(field, value, read) == value for read in one.reading.values)
        ]
        if decided is None or not same(decided, value) or field == IN_SERVICE:
            seen = [one.raw for one in candidates]
            self.change(ANSWER, ANSWER, field, decided if decided is not None else seen[0] if seen else None, value)
        self._take(field, value, agreeing)

    def _take(self, field: str, value: Any, candidates: list[Candidate]) -> None:
        to = field
        if field in self.guide.fields:
            self.document[field] = value
        elif field in COLUMNS:
            self.columns[field] = value
        elif field == IN_SERVICE:
            self._take_in_service(value, candidates)
        elif field == CODE_REF:
            self.extra.setdefault(CODE_REF, value)
            to = "extra"
        else:
            self.ask(field, {ANSWER: value}, [], "it is no field of the schema and no column")
            return
        self.taken[field] = candidates
        for rule, entry, column, raw, _ in candidates:
            where = column or ""
            if entry is not None:
                where = entry.where
                if rule.takes:
                    entry.taken += 1
            if raw is not value and (type(raw) is not str or raw != value):
                self.change(rule.name, where, to, raw, value)
            elif entry is None or entry.path[0] != field:
                self.moved(rule.name, where, to)

    def _take_in_service(self, value: Any, candidates: list[Candidate]) -> None:
        if value is True and candidates:
            self.promoted_by = candidates[0].rule.name
        elif value is not False:
            why = "no rule names the value by which the row says it" if value is True else "it must be true or false"
            self.ask(IN_SERVICE, {ANSWER: value}, [], why)

    def _default_is_external(self) -> None:
        """An internal model may leave is_external out; not where something speaks of another origin."""
        rule = self.rules.default
        if (
            rule is None
            or "is_external" in self.document
            or {"is_external"} & (self.questions.keys() | self.answers.keys())
        ):
            return
        argument = rule.argument
        own = {"hosts": argument.get("own_hosts", ()), "schemes": argument.get("own_schemes", ())}
        against: dict[str, Any] = {}
        reasons = []
        for column in argument.get("word_columns", ()):
            if not is_absent(self.facts.get(column)):
                against[column] = self.facts[column]
                reasons.append(f"{column} has a value that no rule knows")
        for column in argument.get("url_columns", ()):
            value = self.facts.get(column)
            if not is_absent(value) and (host := outside_host(value, own)):
                against[column] = value
                reasons.append(f"{column} leads to {quote(host)}, which the rule {rule.name} does not list as yours")
        for entry in self.of_origin:
            against[entry.where] = entry.value
            reasons.append(f"{entry.where} may speak of an origin elsewhere")
        if reasons:
            self.ask("is_external", against, [False, True], "; ".join(reasons[:3]))
        else:
            self.document["is_external"] = False
            self.change(rule.name, "", "is_external", None, False)

    def _check_columns(self) -> None:
        """Take back what a person stated and a column cannot hold, or what cannot be true together."""
        for column in self.columns.keys() & self.answers.keys():
            why = _column_fault(column, self.columns[column])
            if why is not None:
                self._take_back(column, why)
        start, end = self.columns.get(TIME_COLUMNS[0]), self.columns.get(TIME_COLUMNS[1])
        if start is not None and end is not None and as_utc(end) < as_utc(start):
            self._take_back(TIME_COLUMNS[1], "it lies before the start of the training")

    def _take_back(self, column: str, why: str) -> None:
        candidates = self.taken[column]
        value = self.columns.pop(column)
        self.changes = [change for change in self.changes if change["to"] != column]
        for candidate in candidates:
            if candidate.entry is not None and candidate.rule.takes:
                candidate.entry.taken -= 1
        self.ask(column, what_was_seen(candidates) or {ANSWER: value}, [], why)

    # What is left.

    def _keep(self, entry: Entry) -> None:
        """Put a fact that no field took up, or what is left of it, into extra under its own key."""
        for path, digits, number in entry.rounded or ():
            self.change(ROUNDED, json_pointer(path), None, digits, number)
        key, value = entry.path[0], entry.value
        if entry.is_absent:
            self.change(ABSENT, entry.where, None, value, None)
        elif entry.offered and entry.taken == entry.offered:
            return
        elif key == "extra" and type(value) is dict:
            self.document["extra"] = self.extra
            for inner_key, inner_value in value.items():
                self._put(inner_key, inner_value, entry, (*entry.path, inner_key), None)
        elif entry.offered:
            self._put(key, value, entry, entry.path, UNREAD)
        elif self.rules.keep is None and key not in self.document:
            self.document[key] = value
        else:
            rest = value if entry.inner is None else _without_taken(value, entry.inner, 1)
            if rest is not _NOTHING:
                self._put(key, rest, entry, entry.path, self.rules.keep.name if self.rules.keep else UNREAD)

    def _put(self, key: str, value: Any, entry: Entry, path: tuple[str, ...], rule: str | None) -> None:
        """Put a value into extra; one of another fact under the same key stays, and this one gets a number."""
        if key not in self.extra:
            self.extra[key] = value
            self.extra_paths[key] = path
            if rule is not None:
                self.moved(rule, entry.where, "extra")
            if entry.doubt is not None and not entry.offered:
                where = json_pointer(path)
                self._ask_extra(key, {where: value}, [value], f"{where} {entry.doubt}")
        elif same(self.extra[key], value):
            if rule is not None:
                self.moved(rule, entry.where, "extra")
        elif self.extra_paths.get(key) == path and not entry.offered:
            where = json_pointer(path)
            self.change(DUPLICATE, where, "extra", value, self.extra[key])
            seen = {where: self.extra[key], f"{where} (2)": value}
            self._ask_extra(key, seen, seen.values(), f"{where} occurs more than once, with different values")
        else:
            names = (f"{key}_{number}" for number in range(2, len(self.extra) + 3))
            free = next(name for name in names if name not in self.extra)
            self.extra[free] = value
            self.change(DUPLICATE, json_pointer(path), "extra", value, {free: value})

    def _ask_extra(self, key: str, seen: Mapping[str, Any], values: Iterable[Any], why: str) -> None:
        answer = self.answers.get("extra", {})
        if answer is None or (type(answer) is dict and key in answer):
            return
        shown = {where: quote(value) for where, value in seen.items()}
        readings = quotable({key: value} for value in values)
        self.extra_questions.append({"field": "extra", "seen": shown, "readings": readings, "why": why})

    def _answer_extra(self) -> None:
        answer = self.answers.get("extra", {})
        if answer is None:
            self.change(ANSWER, ANSWER, "extra", self.extra, None)
            self.extra = {}
            self.document.pop("extra", None)
        elif type(answer) is not dict:
            self.ask("extra", {ANSWER: answer}, [], "it must be an object")
        else:
            for key, value in answer.items():
                self.change(ANSWER, ANSWER, "extra", self.extra.get(key), value)
            self.extra = _merge_patch(self.extra, answer)

    # What the schema says to it.

    def _required(self) -> tuple[str, ...]:
        kind = self.document.get("is_external")
        return self.guide.required[kind if type(kind) is bool else None]

    def _validate(self, is_large: bool) -> bool:
        """Whether the document is valid; what is missing or wrong in it becomes a question."""
        document, guide = self.document, self.guide
        if not is_large and guide.validator.is_valid(document):
            return True
        missing = [field for field in self._required() if field not in document]
        for field in missing:
            readings = [False, True] if field == "is_external" else []
            self.ask(field, self._context(), readings, NOTHING_SAYS_IT)
        completed = document | {field: guide.fillers[field] for field in missing}
        if not is_large and guide.validator.is_valid(completed):
            return False
        text = json.dumps(completed, ensure_ascii=False)
        if is_large and len(text.encode()) + _growth(completed) > MAX_BYTES:
            self.ask("metadata", {}, [], f"normalised and written out, it is larger than {MAX_BYTES} bytes of text")
            return False
        problems = find_problems(guide.validator, guide.schema, text)
        for path, keyword, message in problems:
            # Where is_external is open, what only one kind of model must or must not have is open, too.
            if "is_external" in document or keyword not in ("required", "additionalProperties"):
                self._ask_about(path, message)
        return not problems and not missing

    def _ask_about(self, path: str, message: str) -> None:
        field = path.partition("/")[2].partition("/")[0].replace("~1", "/").replace("~0", "~")
        if field not in self.document:
            self.ask("metadata", {}, [], f"normalised, it {message}")
            return
        candidates = self.taken.get(field, [])
        inner = path[len(field) + 1 :] if path.startswith(f"/{field}/") else ""
        why = f"{inner} {message}" if inner else f"it {message}"
        self.ask(field, what_was_seen(candidates) or {f"/{field}": self.document[field]}, [], why)

    def _context(self) -> dict[str, Any]:
        """What people wrote into other columns, and may hold the fact."""
        said = {column: value for column, value in self.facts.items() if column not in self.rules.by_column}
        if "description" in self.document:
            said["/description"] = self.document["description"]
        return {where: value for where, value in said.items() if type(value) is str and not is_absent(value)}


def _growth(value: Any) -> int:
    """How many characters longer a value is when PostgreSQL writes its numbers: 1e300 has 301 digits there."""
    if type(value) is dict:
        return sum(map(_growth, value.values()))
    if type(value) is list:
        return sum(map(_growth, value))
    if type(value) is float and "e" in (written := repr(value)):
        return len(format(Decimal(written), "f")) - len(written)
    return 0


def _unusable(unusable: UnusableError) -> dict[str, Any]:
    question = {"field": "metadata", "seen": {"": quote(unusable.seen)}, "readings": [], "why": unusable.why}
    return {
        "metadata": None,
        "columns": {},
        "promoted_by": None,
        "changes": [],
        "questions": [question],
        "valid": False,
    }


def _merge_patch(value: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if type(patch) is not dict:
        return patch
    merged = dict(value) if type(value) is dict else {}
    for key, item in patch.items():
        if item is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge_patch(merged.get(key), item)
    return merged


def _parts(code: Code) -> Iterator[tuple[str, str]]:
    fields = ("code_repo_url", "code_commit_sha", "code_entrypoint", CODE_REF)
    return ((field, part) for field, part in zip(fields, code, strict=True) if part is not None)


def _column_fault(column: str, value: Any) -> str | None:
    if column in TIME_COLUMNS:
        return None if is_moment(value) else "it must be a date-time with its offset, or a day, in ISO 8601"
    if type(value) is not str or is_absent(value):
        return "it must be a text that is not blank"
    if column == "code_repo_url" and not is_repository_url(value):
        return "it must be the URL of a repository, without credentials"
    if column == "code_commit_sha" and not is_commit_sha(value):
        return "it must be a whole commit hash: 40 or 64 lower-case hexadecimal digits"
    return None


_NOTHING: Any = object()


def _without_taken(value: Any, inner: list[Entry] | None, depth: int) -> Any:
    """Return an object without the facts inside it that fields took up; _NOTHING when that was all of it."""
    rest = value
    for entry in inner or ():
        kept = _NOTHING
        if not (entry.offered and entry.taken == entry.offered):
            kept = _without_taken(entry.value, entry.inner, depth + 1)
        if kept is not entry.value:
            rest = {key: item for key, item in rest.items() if key != entry.path[depth]}
            if kept is not _NOTHING:
                rest[entry.path[depth]] = kept
    return _NOTHING if value and not rest else rest
