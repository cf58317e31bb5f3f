"""Walks a person through the open questions of a backfill, model by model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from atlas_models.answers import (
    WHOLE,
    add_answer,
    parse_answer,
    parse_patch,
    reading_as_answer,
    value_text,
)
from atlas_models.errors import AtlasError, InvalidArgument, InvalidMetadata, KeptByDatabase, LineageError, NotFound
from atlas_models.registry import Registry
from atlas_models.results import BackfillReview, ReviewOutcome
from atlas_models.terminal import printable, shortened

_PROMPT = "number, value, s skip, n next model, e edit, q quit, ? help: "
_HELP = """\
  1, 2 …      take the reading with this number
  a value     12, true, ["a", "b"], any text; JSON where it is JSON, "12" for a text of digits
  =value      the same, for a value that looks like one of these letters or numbers
  null        leave the field out
  s           skip this question; it stays open
  n           leave the rest of this model open, and send what was answered
  e           write the answers about this model in an editor ($VISUAL, $EDITOR), as one JSON object
  q           quit; what was not sent yet is not written"""

# What the person can put right by another answer.
_REFUSALS = (InvalidArgument, InvalidMetadata, KeptByDatabase, LineageError)


class Terminal(Protocol):
    """Where the person is."""

    def ask(self, prompt: str) -> str:
        """Asks for a line; raises EOFError when there will be none."""

    def show(self, line: str = "", *, bold: bool = False) -> None:
        """Shows a line."""

    def edit(self, text: str) -> str | None:
        """Lets the person edit a text; None when it was not saved."""


@dataclass(slots=True)
class Tally:
    """What came of a walk.

    Args:
        backfilled: How many models are settled now.
        left: How many of those that were shown still wait.
        has_quit: Whether the person ended it early.
    """

    backfilled: int = 0
    left: int = 0
    has_quit: bool = False


class _Asked(NamedTuple):
    """A question, recognisable when it is asked again."""

    field: str
    why: str


class _QuitError(Exception):
    """The person wants no more."""


class _NextModelError(Exception):
    """The person leaves the rest of this model open."""


class _EditedError(Exception):
    """The person has written all answers about this model in an editor."""


class ReviewSession:
    """Asks a person about legacy models that wait.

    Args:
        registry: Where they wait; each model's answers are one call.
        terminal: Where the person is.
    """

    def __init__(self, registry: Registry, terminal: Terminal) -> None:
        self._registry = registry
        self._terminal = terminal

    def walk(self, artifact_ids: Sequence[str]) -> Tally:
        """Goes through models; those that an answer about another one has settled are passed over.

        Args:
            artifact_ids: The models, in the order to be asked about.

        Returns:
            What came of it.
        """
        tally = Tally()
        for place, artifact_id in enumerate(artifact_ids, start=1):
            reviews = self._registry.backfill_reviews(artifact_id)
            of_all = f"Model {place:,} of {len(artifact_ids):,}"
            if not reviews:
                self._terminal.show(f"\n{of_all} is settled by what was answered before.")
                tally.backfilled += 1
                continue
            self._show_model(reviews, of_all)
            model = _Model(self._registry, self._terminal, artifact_id)
            try:
                is_settled = model.review(reviews)
            except (_QuitError, EOFError, KeyboardInterrupt) as error:
                if not isinstance(error, _QuitError):
                    self._terminal.show()  # the line of the prompt is still open
                model.say_what_is_lost()
                if isinstance(error, KeyboardInterrupt):
                    raise
                tally.left += 1
                tally.has_quit = True
                return tally
            tally.backfilled += is_settled
            tally.left += not is_settled
        return tally

    def _show_model(self, reviews: list[BackfillReview], place: str) -> None:
        first = reviews[0]
        show = self._terminal.show
        show()
        show(printable(f"{place}: {first.title or '(no title)'}"), bold=True)
        show(printable(f"  id: {shortened(first.artifact_id)}"))
        if first.name is not None and first.name != first.title:
            show(printable(f"  name: {first.name}"))
        if first.chain_root != first.artifact_id:
            show(printable(f"  first version: {shortened(first.chain_root)}"))
        if first.notes:
            show(printable(f"  notes: {first.notes}"))


class _Model:
    """The dialogue about one model."""

    def __init__(self, registry: Registry, terminal: Terminal, artifact_id: str) -> None:
        self._registry = registry
        self._terminal = terminal
        self._id = artifact_id
        self._patch: dict[str, Any] = {}
        self._asked: set[_Asked] = set()

    def review(self, reviews: list[BackfillReview]) -> bool:
        """Asks, sends, and asks again what the answers left open or brought up; returns whether it is settled."""
        goes_on = True
        while reviews:
            if goes_on:
                goes_on = self._ask_all(reviews)
            if not self._patch:
                return False
            notes = self._ask_notes()
            try:
                outcome = self._registry.resolve_backfill_review(self._id, self._patch, notes=notes)
            except NotFound:
                self._terminal.show("Somebody else has settled it meanwhile.")
                self._patch = {}
                return True
            except _REFUSALS as refusal:
                self._take_back(refusal, reviews)
                goes_on = True
            else:
                self._patch = {}
                for line in outcome_lines(self._registry, self._id, outcome):
                    self._terminal.show(line)
                if outcome.outcome == "backfilled" or not goes_on:
                    return outcome.outcome == "backfilled"
            reviews = self._registry.backfill_reviews(self._id)
        return True

    def say_what_is_lost(self) -> None:
        """Names the answers that were given and not sent, where there are any."""
        if self._patch:
            fields = printable(", ".join(self._patch))
            self._terminal.show(f"Not sent, not written: {fields}.")

    def _ask_all(self, reviews: list[BackfillReview]) -> bool:
        """Asks what was not asked before; returns False when the person leaves the rest open."""
        new = [review for review in reviews if _Asked(review.field, review.why) not in self._asked]
        try:
            for place, review in enumerate(new, start=1):
                self._asked.add(_Asked(review.field, review.why))
                self._show_question(review, f"{place} of {len(new)}" if len(new) > 1 else "")
                self._ask(review, reviews)
        except _NextModelError:
            return False
        except _EditedError:
            self._asked |= {_Asked(review.field, review.why) for review in new}
        return True

    def _show_question(self, review: BackfillReview, place: str) -> None:
        show = self._terminal.show
        show()
        show(printable(review.field) + (f" ({place})" if place else ""), bold=True)
        show(printable(f"  why: {review.why}"))
        for line in seen_lines(review):
            show(f"  seen: {line}")
        for number, reading in enumerate(review.readings, start=1):
            show(f"  {number}) {reading_text(reading)}")

    def _ask(self, review: BackfillReview, reviews: list[BackfillReview]) -> None:
        """Asks one question until it is answered or skipped."""
        while True:
            typed = self._terminal.ask(_PROMPT).strip()
            if typed == "q":
                raise _QuitError
            if typed == "n":
                raise _NextModelError
            if typed == "s":
                return
            if typed == "?":
                self._terminal.show(_HELP)
            elif typed == "e":
                if self._edit(reviews):
                    raise _EditedError
            elif typed and self._take(review, typed):
                return

    def _take(self, review: BackfillReview, typed: str) -> bool:
        if typed.isascii() and typed.isdigit() and 1 <= int(typed[:9]) <= len(review.readings):
            value = reading_as_answer(review, review.readings[int(typed) - 1])
        else:
            value = parse_answer(typed.removeprefix("="))
        try:
            add_answer(self._patch, review.field, value)
        except ValueError as error:
            self._terminal.show(f"  {error}")
            return False
        if review.field == WHOLE:
            for line in _answer_lines(self._patch):
                self._terminal.show(line)
        else:
            self._terminal.show(f"  → {printable(review.field)} = {printable(value_text(value))}")
        return True

    def _edit(self, reviews: list[BackfillReview]) -> bool:
        """Has the patch written in an editor, again while it cannot be read; returns False when nothing was saved."""
        text = "\n".join(_editor_lines(reviews)) + "\n" + _indented(self._patch) + "\n"
        while (edited := self._terminal.edit(text)) is not None:
            try:
                self._patch = parse_patch(edited)
            except ValueError as error:
                self._terminal.show(f"  {error}")
                if self._terminal.ask("edit it again? [Y/n] ").strip().lower().startswith("n"):
                    return False
                text = edited
            else:
                return True
        self._terminal.show("  nothing was saved")
        return False

    def _ask_notes(self) -> str | None:
        self._terminal.show()
        for line in _answer_lines(self._patch):
            self._terminal.show(line)
        return self._terminal.ask("notes, why so (Enter for none): ").strip() or None

    def _take_back(self, refusal: AtlasError, reviews: list[BackfillReview]) -> None:
        """Shows why the answers were refused, and forgets those that are to blame, so that they are asked again."""
        self._terminal.show(printable(f"Refused, nothing was written: {refusal.message}"), bold=True)
        for path, message in refusal.problems:
            self._terminal.show(printable(f"  {path}: {message}" if path else f"  {message}"))
        named = {_field_of(path) for path, _ in refusal.problems} & self._patch.keys()
        for field in named or set(self._patch):
            del self._patch[field]
        answered = self._patch.keys()
        self._asked -= {
            _Asked(review.field, review.why)
            for review in reviews
            if review.field not in answered and (not named or review.field in named or review.field == WHOLE)
        }


def seen_lines(review: BackfillReview) -> Iterator[str]:
    """Writes what the row says about a question, a line for each place; fit for a terminal."""
    for where, value in review.seen.items():
        yield printable(f"{where or 'the whole'}  {value_text(value)}")


def reading_text(reading: Any) -> str:
    """Writes a reading as a person would type it."""
    return "null (leave it out)" if reading is None else printable(value_text(reading))


def outcome_lines(registry: Registry, artifact_id: str, outcome: ReviewOutcome) -> Iterator[str]:
    """Writes what became of a model after its answers."""
    if outcome.outcome == "backfilled":
        found = registry.get_model(artifact_id=artifact_id)
        yield printable(f"Backfilled: {found.name}, version {found.version_number}, {found.promotion_state}.")
        return
    count = outcome.open_questions
    yield f"Taken. {count} question{' is' if count == 1 else 's are'} still open:"
    for review in registry.backfill_reviews(artifact_id):
        yield printable(f"  {review.field}: {review.why}")


def _answer_lines(patch: dict[str, Any]) -> Iterator[str]:
    for field, value in patch.items():
        yield printable(f"  {field} = {value_text(value)}")


def _editor_lines(reviews: list[BackfillReview]) -> Iterator[str]:
    yield printable(f"# {reviews[0].title or '(no title)'}, {shortened(reviews[0].artifact_id)}")
    yield "# The answers as one JSON object, field → value; null leaves a field out, what is not in it stays open."
    yield "# Lines that begin with # are left out."
    for review in reviews:
        yield "#"
        yield printable(f"# {review.field}: {review.why}")
        for line in seen_lines(review):
            yield f"#   seen: {line}"
        for reading in review.readings:
            yield f"#   could be: {printable(value_text(reading_as_answer(review, reading)))}"


def _indented(patch: dict[str, Any]) -> str:
    members = ",\n".join(f"    {json.dumps(field, ensure_ascii=False)}: {value_text(patch[field])}" for field in patch)
    return f"{{\n{members}\n}}"


def _field_of(path: str) -> str:
    """Gives the field that a problem's path begins with: /patch/name, or /parameter_count."""
    return path.removeprefix("/patch").removeprefix("/").partition("/")[0]
