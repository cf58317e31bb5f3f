"""The command ``atlas validate``: what is wrong with the models of a file, without a database."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import click

from atlas_models.command_line import exit_codes, json_option, one_line_errors, say
from atlas_models.errors import Problem
from atlas_models.offline_validation import metadata_schema_version, metadata_text_errors
from atlas_models.output import show_json
from atlas_models.record_files import Line, RecordFile, open_record_file
from atlas_models.registration_records import UnreadableRecordError, parse_line, record_problems, unstorable_texts
from atlas_models.terminal import printable, shortened, show_progress

_MAX_SHOWN = 100
_RECORDS_BETWEEN_UPDATES = 100

_EPILOG = """\b
Examples:
  atlas validate models.jsonl       # a registration, or metadata, a line
  atlas validate metadata.json      # one object over several lines
  jq -c '.[]' models.json | atlas validate -
  atlas validate --json models.jsonl | jq '.refusals[].line'

""" + exit_codes("everything is valid", "something is not, or the file cannot be read")


class _Refusal(NamedTuple):
    line: int
    name: str | None
    problems: list[Problem]


@click.command(epilog=_EPILOG, short_help="Checks a file without a database.")
@click.argument("file", type=click.Path(allow_dash=True))
@json_option
@one_line_errors
def validate(file: str, as_json: bool) -> None:
    """Checks the metadata in FILE against the schema that came with this client; needs no database.

    FILE holds one JSON object a line, or one alone; it may be - for standard input. An object with the key metadata is
    a registration, as atlas register takes it, and its other fields are checked too; any other is metadata itself.

    What only the database can know, such as whether a base model is registered: atlas register --dry-run.
    """
    records = 0
    refusals: list[_Refusal] = []
    with open_record_file(file, reader="atlas validate -") as opened, show_progress() as progress:
        name = opened.name
        progress.start("checking", opened.size)
        for line in _objects(opened):
            records += 1
            if records % _RECORDS_BETWEEN_UPDATES == 0:
                progress.update(opened.bytes_read, records)
            if refusal := _check(line):
                refusals.append(refusal)
    if as_json:
        show_json(
            {
                "metadata_schema_version": metadata_schema_version(),
                "records": records,
                "valid": records - len(refusals),
                "refusals": [
                    refusal._asdict() | {"problems": [problem._asdict() for problem in refusal.problems]}
                    for refusal in refusals
                ],
            }
        )
        sys.exit(1 if refusals else 0)
    for refusal in refusals[:_MAX_SHOWN]:
        place = f"{name}:{refusal.line}: " + (f"{shortened(refusal.name)}: " if refusal.name else "")
        for path, message in refusal.problems:
            say(printable(place + (f"{path}: {message}" if path else message)))
    if len(refusals) > _MAX_SHOWN:
        say(f"and {len(refusals) - _MAX_SHOWN:,} more; {_MAX_SHOWN} are listed, all by --json")
    valid = records - len(refusals)
    click.echo(f"valid: {valid:,} of {records:,}, by metadata schema {metadata_schema_version()}")
    sys.exit(1 if refusals else 0)


def _objects(file: RecordFile) -> Iterator[Line]:
    """Gives the lines, or the whole file as one where it is one JSON value over several lines."""
    first_two = list(islice(file.lines(), 2))
    if len(first_two) == 2 and not any(_is_json(line) for line in first_two):
        yield _whole(file)
    else:
        yield from file.lines()


def _is_json(line: Line) -> bool:
    try:
        json.loads(line.text)
    except ValueError:
        return False
    return True


def _whole(file: RecordFile) -> Line:
    lines = list(file.lines())
    if unreadable := next((line for line in lines if line.problem), None):
        return unreadable
    # Blank lines count: the place of a mistake is one of the file's.
    texts = [""] * lines[-1].number
    for line in lines:
        texts[line.number - 1] = line.text
    try:
        json.loads("\n".join(texts))
    except json.JSONDecodeError as error:
        return Line(error.lineno, "", f"column {error.colno}: is not valid JSON: {error.msg}")
    except ValueError:
        pass  # numbers beyond all limits: said by whoever reads the line
    return Line(1, " ".join(texts))


def _check(line: Line) -> _Refusal | None:
    try:
        given = parse_line(line)
    except UnreadableRecordError as error:
        return _Refusal(line.number, None, [Problem("", error.problem)])
    if "metadata" in given:
        problems = record_problems(line, given, validate_metadata=True)
        name = given.get("name")
    else:
        problems, name = unstorable_texts(line, given) or metadata_text_errors(line.text), None
    return _Refusal(line.number, name if isinstance(name, str) else None, problems) if problems else None
