"""The command ``atlas site``: the catalogue as a folder of static pages."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import click
import psycopg
from psycopg.rows import TupleRow

from atlas_models.command_line import database_url, exit_codes, json_option, one_line_errors, schema_option, url_option
from atlas_models.connections import connect
from atlas_models.output import show_json
from atlas_models.terminal import Progress, printable, show_progress

_EPILOG = """\b
Examples:
  atlas site public
  atlas site public --title "Models of the risk team"
  atlas site public --json | jq .versions
  python3 -m http.server --directory public   # or open public/index.html

""" + exit_codes("written", "nothing was written: what was there stands as it was")


@dataclass(frozen=True, slots=True)
class Written:
    """What a site consists of.

    Args:
        folder: Where it stands.
        versions: How many model versions it shows.
        models: How many names they have.
        other_artifacts: How many datasets and the like it shows.
        files: How many files it has.
        bytes: How large they are together.
        replaced: Whether it took the place of one that was written before.
    """

    folder: str
    versions: int
    models: int
    other_artifacts: int
    files: int
    bytes: int
    replaced: bool


@click.command(epilog=_EPILOG, short_help="Writes the catalogue as static pages.")
@click.argument("folder", metavar="OUT_DIR", type=click.Path(path_type=Path))
@url_option
@schema_option
@click.option("--title", metavar="TEXT", default="Model catalogue", show_default=True, help="The heading of the site.")
@json_option
@one_line_errors
def site(folder: Path, url: str | None, schema: str, title: str, as_json: bool) -> None:
    """Writes the catalogue as static pages to OUT_DIR: a list to search, and a page for each version.

    They load nothing from elsewhere, and are read from a web server as from a disk. OUT_DIR is new or empty, or holds a
    site that was written before, which is replaced as a whole once the new one is complete.
    """
    # Imported where it is needed: templates and Markdown take longer to load than most commands to run.
    from atlas_models.site.folder import check_target

    check_target(folder)
    with connect(database_url(url), application_name="atlas site") as connection, show_progress("pages") as progress:
        written = write_site(connection, schema, folder, title, progress)
    if as_json:
        show_json(asdict(written))
        return
    versions = f"{written.versions:,} version{'' if written.versions == 1 else 's'}"
    models = f"{written.models:,} model{'' if written.models == 1 else 's'}"
    size = f"{written.files:,} files, {written.bytes / 1e6:,.1f} MB"
    click.echo(
        printable(f"{'replaced' if written.replaced else 'wrote'} {written.folder}: {versions} of {models}, {size}")
    )


def write_site(
    connection: psycopg.Connection[TupleRow], schema: str, folder: Path, title: str, progress: Progress
) -> Written:
    """Writes the site of a registry.

    Args:
        connection: A connection in autocommit mode, of a role that may read.
        schema: The schema that holds the registry.
        folder: Where the site is to stand.
        title: Its heading.
        progress: Is told how far it is.

    Returns:
        What was written.

    Raises:
        AtlasError: The folder cannot be written, or the registry not be read; nothing was written then.
    """
    from atlas_models.site.folder import check_target, written_whole
    from atlas_models.site.pages import ASSETS, Pages
    from atlas_models.site.reading import one_moment

    replaced = check_target(folder)
    with written_whole(folder) as new, one_moment(connection, schema) as reader:
        progress.start("reading", None)
        catalogue = reader.catalogue()
        pages = Pages(catalogue, title)
        for name in ("models", "artifacts", "assets"):
            (new / name).mkdir()
        for asset in ASSETS:
            source = resources.files("atlas_models.site") / "assets" / asset
            with resources.as_file(source) as path:
                shutil.copyfile(path, new / "assets" / asset)
        total = len(catalogue.versions) + len(catalogue.others)
        progress.start("writing", total)
        done = 0
        for rows, render in ((reader.details(), pages.version), (reader.other_details(), pages.other)):
            with closing(rows):
                for row in rows:
                    file, page = render(row)
                    _write(new / file, page)
                    done += 1
                    progress.update(done, done)
        for file, page in pages.lists():
            _write(new / file, page)
        _write(new / "assets" / "catalogue.js", pages.search_data())
        _write(new / "index.html", pages.index())
        files = [file for file in new.rglob("*") if file.is_file()]
        return Written(
            folder=str(folder),
            versions=len(catalogue.versions),
            models=len({version.name for version in catalogue.versions if version.name is not None}),
            other_artifacts=len(catalogue.others),
            files=len(files),
            bytes=sum(file.stat().st_size for file in files),
            replaced=replaced,
        )


def _write(path: Path, text: str) -> None:
    # What PostgreSQL holds is always UTF-8; \n as it is, on every system.
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
