"""Lays the model cards of MONAI's model zoo down as an old ``artifacts`` table, for atlas migrate to take over.

    python docs/examples/lay_down_monai.py [--without-origin] postgresql://… monai_zoo_metadata.jsonl

Each line of the file holds one ``metadata.json`` with the repository, the commit and the file that it was taken from.
Nothing is read into it: the document is stored as it stands; its folder is the row's id, its name the title, and where
it was taken from the origin, unless that is left out, as in a catalogue that never noted it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import psycopg

TABLE = """
create table artifacts (
    id text primary key,
    artifact_type text not null,
    title text,
    metadata text,
    version_tag text,
    origin_url text
)
"""
COLUMNS = "id, artifact_type, title, metadata, version_tag, origin_url"


def rows(lines: Iterable[str], *, with_origin: bool) -> Iterator[tuple[str | None, ...]]:
    """Makes a row of each record, in the order of COLUMNS."""
    for line in lines:
        record = json.loads(line)
        document = record["metadata"]
        yield (
            "monai-" + PurePosixPath(record["file"]).parts[1],
            "model",
            document.get("name"),
            json.dumps(document),
            document.get("version"),
            f"{record['repo']}/blob/{record['commit']}/{record['file']}" if with_origin else None,
        )


def main(url: str, path: Path, *, with_origin: bool) -> None:
    """Makes the schema and the table, and fills it, in one transaction."""
    with path.open(encoding="utf-8") as file, psycopg.connect(url) as conn:
        conn.execute("create schema atlas")
        conn.execute("set local search_path = atlas")
        conn.execute(TABLE)
        with conn.cursor().copy(f"copy artifacts ({COLUMNS}) from stdin") as copy:
            for row in rows(file, with_origin=with_origin):
                copy.write_row(row)
        count = conn.execute("select count(*) from artifacts").fetchone()
    print(f"rows laid down: {count[0] if count else 0}")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--without-origin"]
    if len(arguments) != 2:
        sys.exit("usage: lay_down_monai.py [--without-origin] URL FILE")
    try:
        main(arguments[0], Path(arguments[1]), with_origin=len(arguments) == len(sys.argv) - 1)
    except (OSError, psycopg.Error) as error:
        # libpq's own words may repeat what stands in the URL.
        reason = error.diag.message_primary if isinstance(error, psycopg.Error) else str(error)
        sys.exit(f"lay_down_monai: {reason or 'cannot connect to the database'}")
