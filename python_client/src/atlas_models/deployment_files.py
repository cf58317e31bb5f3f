"""The files that make a database a registry: finds them, reads them, and refuses what must not be run.

Everything that can be wrong with the files themselves is found here, before a connection is opened.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from atlas_models.migration_errors import MigrationError
from atlas_models.sql_lexer import SqlFile, UnfinishedSqlError, read_sql, transaction_control

_MIGRATION_NAME = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9]+(?:_[a-z0-9]+)*\.sql", re.ASCII)
_CODE_NAME = re.compile(r"_?[a-z0-9]+(?:_[a-z0-9]+)*\.sql", re.ASCII)
_DIRECTIVE = re.compile(r"atlas:\s*(?P<name>.*)")
_INDEX_WORDS = (("create", "index", "concurrently"), ("create", "unique", "index", "concurrently"))

NO_TRANSACTION = "no-transaction"
SUPERUSER = "superuser"


@dataclass(frozen=True)
class SourceFile:
    """One SQL file.

    Args:
        name: Its path below migrations/ or sql/, with forward slashes.
        text: Its content.
        sha256: The checksum of its bytes, in hexadecimal.
        directives: What its opening ``-- atlas: …`` comments ask for.
    """

    name: str
    text: str
    sha256: str
    directives: frozenset[str]


@dataclass(frozen=True)
class Migration:
    """One numbered file of migrations/.

    Args:
        number: Its number, from 1.
        file: The file.
        index_name: For a no-transaction file, the index that it builds; otherwise None.
    """

    number: int
    file: SourceFile
    index_name: str | None

    @property
    def name(self) -> str:
        """The file's name without its ending: ``0001_artifacts``."""
        return self.file.name.removesuffix(".sql")


@dataclass(frozen=True)
class Source:
    """A checked folder of migrations and code.

    Args:
        folder: Where it was read from.
        migrations: The migrations, in order, numbered 1..n.
        code: The files of sql/, in the order in which they are deployed.
        code_digest: One checksum over the names and contents of ``code``.
    """

    folder: Path
    migrations: tuple[Migration, ...]
    code: tuple[SourceFile, ...]
    code_digest: str


def packaged_folder() -> Path:
    """Finds the folder that holds migrations/ and sql/: inside an installed wheel, or the checkout's root.

    Returns:
        The folder.

    Raises:
        MigrationError: Neither is there, which means that the installation is broken.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_database", *package.parents[2:3]):
        if (folder / "migrations").is_dir() and (folder / "sql").is_dir():
            return folder
    raise MigrationError(
        "the package atlas-models is installed without its migrations/ and sql/ folders",
        hint="reinstall it: python3 -m pip install --force-reinstall atlas-models",
    )


def read_source(folder: Path) -> Source:
    """Reads and checks a folder with migrations/ and sql/ in it.

    Args:
        folder: The folder.

    Returns:
        Its files, checked.

    Raises:
        MigrationError: A file that is badly named, numbered or encoded, or holds what the runner must not run.
    """
    migrations = _read_migrations(folder / "migrations")
    code = _read_code(folder / "sql")
    digest = hashlib.sha256()
    for file in code:
        digest.update(f"{file.name}\0{file.sha256}\n".encode())
    return Source(folder, migrations, code, digest.hexdigest())


def _read_migrations(folder: Path) -> tuple[Migration, ...]:
    _require_folder(folder)
    by_number: dict[int, Migration] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        match = _MIGRATION_NAME.fullmatch(path.name)
        if match is None or not path.is_file():
            raise MigrationError(
                f"migrations/{path.name} is not named like a migration",
                hint="a migration is NNNN_what_it_does.sql: four digits, then lower-case words joined by underscores",
            )
        number = int(match["number"])
        if number in by_number:
            raise MigrationError(
                f"two migrations have the number {number:04d}: {by_number[number].file.name} and {path.name}",
                hint="give the newer one the next free number",
            )
        by_number[number] = _read_migration(number, path)
    _require_no_gap(by_number)
    return tuple(by_number[number] for number in sorted(by_number))


def _require_no_gap(by_number: dict[int, Migration]) -> None:
    if not by_number:
        raise MigrationError("migrations/ holds no migration", hint="the first one is 0001_….sql")
    for expected, number in enumerate(sorted(by_number), start=1):
        if number != expected:
            raise MigrationError(
                f"migration {expected:04d} is missing: the numbers jump to {by_number[number].file.name}",
                hint="migrations are numbered 0001, 0002, … without gaps; restore the file or renumber the new one",
            )


def _read_migration(number: int, path: Path) -> Migration:
    label = f"migrations/{path.name}"
    file, parsed = _read_file(path, path.name, label)
    if SUPERUSER in file.directives:
        raise MigrationError(
            f"{label}: the directive 'superuser' is for files of sql/",
            hint="a migration already runs as the connected superuser; remove the line",
        )
    index_name = _concurrent_index(parsed, label) if NO_TRANSACTION in file.directives else None
    return Migration(number, file, index_name)


def _concurrent_index(parsed: SqlFile, label: str) -> str:
    words = parsed.statements[0].words if len(parsed.statements) == 1 else ()
    for prefix in _INDEX_WORDS:
        name, follows = (*words[len(prefix) :], "", "")[:2]
        if words[: len(prefix)] == prefix and name not in ("", "on", "if") and follows == "on":
            return name
    raise MigrationError(
        f"{label}: a no-transaction file holds exactly one CREATE [UNIQUE] INDEX CONCURRENTLY name ON …",
        hint="name the index, unquoted and without IF NOT EXISTS, and move every other statement to another migration",
    )


def _read_code(folder: Path) -> tuple[SourceFile, ...]:
    _require_folder(folder)
    files = []
    for name, path in sorted(_code_paths(folder)):
        label = f"sql/{name}"
        if not _CODE_NAME.fullmatch(path.name):
            raise MigrationError(
                f"{label} is not named like a file of code",
                hint="code is named what_it_makes.sql: lower-case words joined by underscores; move it elsewhere",
            )
        file, _ = _read_file(path, name, label)
        if NO_TRANSACTION in file.directives:
            raise MigrationError(
                f"{label}: the directive 'no-transaction' is for migrations",
                hint="build the index in a migration of its own",
            )
        files.append(file)
    if not files:
        raise MigrationError("sql/ holds no file", hint="the database would be left without its functions")
    return tuple(files)


def _code_paths(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield relative.as_posix(), path


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise MigrationError(
            f"there is no folder {folder.name}/ in {folder.parent}",
            hint="a source is a folder with migrations/ and sql/ in it",
        )


def _read_file(path: Path, name: str, label: str) -> tuple[SourceFile, SqlFile]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MigrationError(f"{label} cannot be read: {error.strerror}", hint="check its permissions") from error
    text = _decode(content, label)
    try:
        parsed = read_sql(text)
    except UnfinishedSqlError as error:
        raise MigrationError(f"{label}, {error}", hint="close it") from error
    _refuse_what_psql_or_a_transaction_needs(parsed, label)
    directives = _directives(parsed, label)
    return SourceFile(name, text, hashlib.sha256(content).hexdigest(), directives), parsed


def _decode(content: bytes, label: str) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MigrationError(
            f"{label} is not UTF-8: byte {error.start + 1} does not belong there", hint="save it as UTF-8"
        ) from error
    if text.startswith("\ufeff") or "\0" in text:
        what = "starts with a byte order mark" if text.startswith("\ufeff") else "holds a NUL character"
        raise MigrationError(f"{label} {what}", hint="save it as plain UTF-8")
    return text


def _refuse_what_psql_or_a_transaction_needs(parsed: SqlFile, label: str) -> None:
    if parsed.backslash_lines:
        raise MigrationError(
            f"{label}, line {parsed.backslash_lines[0]}: a psql command (\\…) cannot be sent to the server",
            hint="write it in SQL",
        )
    for statement in parsed.statements:
        if control := transaction_control(statement):
            raise MigrationError(
                f"{label}, line {statement.line}: {control} at the top level would break the deploy's one transaction",
                hint="remove it: all pending files are applied together or not at all",
            )
        if statement.words[:1] == ("copy",) and "stdin" in statement.words:
            raise MigrationError(
                f"{label}, line {statement.line}: COPY … FROM STDIN has no input in a deploy", hint="use INSERT"
            )


def _directives(parsed: SqlFile, label: str) -> frozenset[str]:
    first_statement = parsed.statements[0].line if parsed.statements else 0
    found = set()
    for comment in parsed.comments:
        match = _DIRECTIVE.fullmatch(comment.text)
        if match is None:
            continue
        name = match["name"].strip()
        if name not in (NO_TRANSACTION, SUPERUSER):
            raise MigrationError(
                f"{label}, line {comment.line}: unknown directive {name!r}",
                hint=f"known are '{NO_TRANSACTION}' (migrations/) and '{SUPERUSER}' (sql/)",
            )
        if first_statement and comment.line >= first_statement:
            raise MigrationError(
                f"{label}, line {comment.line}: a directive stands above the first statement",
                hint="move the line to the top of the file",
            )
        found.add(name)
    return frozenset(found)
