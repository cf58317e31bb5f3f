"""What `atlas register` writes, prints and exits with; each run is a process of its own, as a user would start it."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from commands import PROGRAM, as_url, atlas, environment_with
from factories import external_metadata, internal_metadata, register
from waiting import wait_until, wait_until_blocked

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECONDS = re.compile(r"time: [0-9.]+ s, [0-9,]+ records a second")


def record(name: str = "churn", **arguments: Any) -> dict[str, Any]:
    return {"name": name, "metadata": internal_metadata()} | arguments


def json_lines(*records: Any) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in records)


class File:
    """A file in a folder of its own, and the command run there on it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def write(self, *content: bytes | dict[str, Any]) -> None:
        lines = [part if isinstance(part, bytes) else json_lines(part) for part in content]
        (self.folder / "models.jsonl").write_bytes(b"".join(lines))

    def register(self, *options: str) -> subprocess.CompletedProcess[str]:
        return atlas("register", *options, "models.jsonl", folder=self.folder, DATABASE_URL=self.url)


@pytest.fixture
def file(tmp_path, database_url) -> File:
    return File(tmp_path, as_url(database_url))


def versions(conn: psycopg.Connection) -> list[tuple[str, int, str]]:
    return conn.execute("select name, version_number, artifact_id from models order by name, version_number").fetchall()


def count(conn: psycopg.Connection) -> int:
    return conn.execute("select count(*) from models").fetchone()[0]


def without_time(text: str) -> list[str]:
    return SECONDS.sub("time: …", text).splitlines()


def summary(headline: str, *counts: int) -> list[str]:
    read, registered, recognised, refused, names = counts
    return [
        headline,
        f"records read: {read:,}",
        f"registered: {registered:,}",
        f"recognised by their idempotency key: {recognised:,}",
        f"refused: {refused:,}",
        f"names: {names:,}",
        "time: …",
    ]


# --- what is good is registered -------------------------------------------------------------------------------------


def test_every_record_becomes_a_version_in_the_order_of_the_file(file, conn):
    file.write(
        record("b", artifact_id="b1"), record("a", artifact_id="a1"), record("b", artifact_id="b2", title="second")
    )
    ended = file.register("--chunk-size", "2")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert without_time(ended.stdout) == summary("Done.", 3, 3, 0, 0, 2)
    assert versions(conn) == [("a", 1, "a1"), ("b", 1, "b1"), ("b", 2, "b2")]


def test_run_again_it_recognises_the_records_by_their_keys(file, conn):
    file.write(record("a", idempotency_key="k"), record("b", idempotency_key="k"))
    file.register()
    again = file.register()
    assert again.returncode == 0
    assert without_time(again.stdout) == summary("Done.", 2, 0, 2, 0, 2)
    assert count(conn) == 2


def test_a_byte_order_mark_blank_lines_and_line_ends_of_other_systems_do_no_harm(file, conn):
    file.write(
        b"\xef\xbb\xbf", record("a", artifact_id="a1"), b"\n \t\r\n", json_lines(record("b")).replace(b"\n", b"\r\n")
    )
    assert file.register().returncode == 0
    assert count(conn) == 2


def test_what_the_file_says_is_stored_as_it_stands_there(file, conn):
    line = json_lines(record("é", artifact_id="a", training_started_at="2026-05-01T12:00:00+02:00", title="ü€\n"))
    file.write(line.replace(b"0.91", b"0.910000000000000000001"))
    assert file.register().returncode == 0
    query = "select name, title, training_started_at = '2026-05-01 10:00:00Z' from models"
    assert conn.execute(query).fetchone() == ("é", "ü€\n", True)
    metrics = conn.execute("select metadata #>> '{evaluation_metrics,auroc}' from models").fetchone()
    assert metrics == ("0.910000000000000000001",)


def test_an_empty_file_is_no_mistake(file):
    file.write(b"\n")
    ended = file.register()
    assert (ended.returncode, without_time(ended.stdout)) == (0, summary("Done.", 0, 0, 0, 0, 0))


@pytest.mark.parametrize("arguments", [["-"], []])
def test_standard_input_is_read_from_a_pipe(database_url, conn, arguments):
    ended = atlas("register", *arguments, stdin=json_lines(record(), {}), DATABASE_URL=as_url(database_url))
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "standard input:2: /name: is required",
        "standard input:2: /metadata: must be an object, not null",
    ]
    assert atlas("register", *arguments, stdin=json_lines(record()), DATABASE_URL=as_url(database_url)).returncode == 0
    assert count(conn) == 1


def test_standard_input_may_be_a_file_that_was_read_in_part(file, conn):
    file.write(b"# a comment\n", record())
    with (file.folder / "models.jsonl").open("rb", buffering=0) as stdin:
        stdin.seek(12)
        ended = subprocess.run([*PROGRAM, "register", "--url", file.url], stdin=stdin, check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert count(conn) == 1


def test_the_option_url_comes_before_the_environment(file, conn):
    file.write(record())
    path = str(file.folder / "models.jsonl")
    ended = atlas("register", "--url", file.url, path, DATABASE_URL="postgresql://nobody@127.0.0.1:1/x")
    assert ended.returncode == 0, ended.stderr
    assert count(conn) == 1


def test_a_dry_run_says_what_would_be_and_writes_nothing(file, conn):
    file.write(record("a"), record("b"))
    ended = file.register("--dry-run")
    assert ended.returncode == 0
    assert without_time(ended.stdout) == summary("Dry run, rolled back: nothing was written.", 2, 2, 0, 0, 2)
    assert count(conn) == 0


# --- what is bad is named -------------------------------------------------------------------------------------------


def test_all_that_can_be_seen_without_the_database_is_named_at_once(file, conn):
    file.write(
        record("good", parent_version_id="nowhere"),
        b"\n",
        b'{"name": "broken" "metadata": {}}\n',
        b"[1]\n",
        b'{"name": "\xff"}\n',
        b'{"name": "a", "metadata": {"is_external": NaN}}\n',
        b'{"name": "a", "metadata": ' + b"[" * 600 + b"]" * 600 + b"}\n",
        b'{"name": "a", "metadata": ' + b"9" * 5000 + b"}\n",
        {"name": 3, "nmae": "x", "is_external": "yes", "metadata": external_metadata()},
        record("un\x1b[31mreadable", metadata=external_metadata(framework="", extra={"a/b": "\0"})),
        record("half", title="\ud800"),
        record("stray", metadata=external_metadata(framework="", license=7)),
    )
    ended = file.register()
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "models.jsonl:3: column 19: is not valid JSON: Expecting ',' delimiter",
        "models.jsonl:4: must be an object, not array",
        "models.jsonl:5: is not UTF-8 (byte 11 of the line)",
        "models.jsonl:6: is not valid JSON: NaN is no JSON number",
        "models.jsonl:7: is nested deeper than 500 levels",
        "models.jsonl:8: holds a number that is neither a 64-bit integer nor a finite double",
        "models.jsonl:9: /name: must be a string, not number",
        "models.jsonl:9: /nmae: is not a parameter of register_model()",
        "models.jsonl:9: /is_external: must be a boolean, not string",
        "models.jsonl:10: un\\x1b[31mreadable: /metadata/extra/a~1b: holds a NUL character, which PostgreSQL cannot"
        " store",
        "models.jsonl:11: half: /title: holds half of a surrogate pair, which is no Unicode text",
        "models.jsonl:12: stray: /metadata/framework: must not be blank",
        "models.jsonl:12: stray: /metadata/license: must be a string, not a number",
    ]
    assert without_time(ended.stdout) == summary("Refused: nothing was written.", 11, 0, 0, 10, 0)
    assert count(conn) == 0


def test_what_only_the_database_knows_is_named_with_its_line_too(file, conn):
    register(conn, "taken", artifact_id="taken-1", idempotency_key="import")
    file.write(
        b"\n",
        record("good"),
        record("orphan", parent_version_id="nowhere"),
        record("late", metadata=internal_metadata(base_model_id="nowhere")),
        record("late", artifact_id="taken-1"),
        record("taken", title="another", idempotency_key="import"),
        record("hasty", code_commit_sha="abc"),
        record(" blank"),
        record("measured", eval_dataset_artifact_id="d"),
    )
    ended = file.register()
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "models.jsonl:3: orphan: /parent_version_id: there is no artifact nowhere",
        "models.jsonl:4: late: /metadata/base_model_id: no such artifact",
        "models.jsonl:5: late: /artifact_id: is taken",
        "models.jsonl:6: taken: /idempotency_key: 'import' of taken stands for taken-1, registered with other"
        " arguments",
        "models.jsonl:7: hasty: /code_commit_sha: must be 40 or 64 lower-case hexadecimal digits",
        "models.jsonl:8:  blank: /name: must be 1 to 256 characters, without control characters and without white space"
        " around",
        "models.jsonl:9: measured: /eval_dataset_artifact_id: there is no artifact d",
    ]
    assert without_time(ended.stdout) == summary("Refused: nothing was written.", 8, 0, 0, 7, 0)
    assert count(conn) == 1


def test_a_time_without_its_offset_is_named(file):
    file.write(record(), record("hasty", training_started_at="2026-05-01 12:00"))
    assert file.register("--keep-going").stderr == (
        "models.jsonl:2: hasty: /training_started_at: must be a date and time with its offset, such as"
        " 2024-05-01T12:00:00Z\n"
    )


def test_a_refusal_in_a_later_chunk_undoes_the_earlier_ones_and_says_how_far_it_asked(file, conn):
    file.write(record("a"), record("b"), record("c", parent_version_id="nowhere"), record("d", parent_version_id="x"))
    ended = file.register("--chunk-size", "1")
    assert ended.returncode == 1
    assert ended.stderr == "models.jsonl:3: c: /parent_version_id: there is no artifact nowhere\n"
    assert "refused: 1 or more; the database was asked up to line 3 (--keep-going --dry-run lists all)" in ended.stdout
    assert without_time(ended.stdout)[0] == "Refused: nothing was written."
    assert count(conn) == 0


def test_what_the_database_cannot_read_at_all_is_found_out(file):
    good = [record(f"m{number}") for number in range(120)]
    overflow = record("overflow", training_params_json={"x": "HUGE"})
    file.write(*good[:77], json_lines(overflow).replace(b'"HUGE"', b"1e200000"), *good[77:])
    ended = file.register()
    assert ended.returncode == 1
    assert ended.stderr == "models.jsonl:78: overflow: value overflows numeric format\n"


def test_a_hundred_refused_records_are_listed_and_the_others_counted(file):
    file.write(*[record(metadata=external_metadata(framework="")) for _ in range(120)])
    ended = file.register()
    lines = ended.stderr.splitlines()
    assert (len(lines), lines[0], lines[99], lines[100]) == (
        101,
        "models.jsonl:1: churn: /metadata/framework: must not be blank",
        "models.jsonl:100: churn: /metadata/framework: must not be blank",
        "and 20 more records; 100 are listed",
    )
    assert "refused: 120\n" in ended.stdout
    found = json.loads(file.register("--json").stdout)
    assert (found["refused"], len(found["refusals"])) == (120, 100)


def test_records_that_are_made_from_each_other_are_named(file):
    file.write(
        record("a", artifact_id="a", parent_version_id="b"),
        record("b", artifact_id="b", metadata=internal_metadata(base_model_id="a")),
        record("behind", artifact_id="c", parent_version_id="a"),
        record("itself", artifact_id="d", parent_version_id="d"),
    )
    assert file.register("--keep-going").stderr.splitlines() == [
        "models.jsonl:1: a: /parent_version_id: names b, which would be made from this record in turn",
        "models.jsonl:2: b: /metadata/base_model_id: names a, which would be made from this record in turn",
        "models.jsonl:3: behind: /parent_version_id: names a, which is refused (line 1)",
        "models.jsonl:4: itself: /parent_version_id: d is this version itself",
    ]


def test_the_summary_as_json_holds_the_refusals(file):
    file.write(record("good"), b"\n", record("bad", parent_version_id="x"), b"{\n")
    ended = file.register("--json", "--keep-going")
    assert (ended.returncode, ended.stderr) == (1, "")
    found = json.loads(ended.stdout)
    assert found.pop("seconds") > 0
    assert found.pop("records_per_second") > 0
    assert found == {
        "outcome": "written",
        "records": 3,
        "registered": 1,
        "recognised": 0,
        "refused": 2,
        "names": 1,
        "asked_up_to_line": None,
        "refusals": [
            {
                "line": 3,
                "name": "bad",
                "problems": [{"path": "/parent_version_id", "message": "there is no artifact x"}],
            },
            {
                "line": 4,
                "name": None,
                "problems": [
                    {
                        "path": "",
                        "message": "column 2: is not valid JSON: Expecting property name enclosed in double quotes",
                    }
                ],
            },
        ],
    }


def test_the_example_of_the_readme_prints_what_the_page_shows(file):
    shown = re.search(r"\$ cat models.jsonl\n(.*?)\$ \S*atlas register models.jsonl\n(.*?)```", README, re.DOTALL)
    file.write(shown[1].encode())
    ended = file.register()
    assert without_time(ended.stderr + ended.stdout) == without_time(shown[2])


# --- keep going -----------------------------------------------------------------------------------------------------


def test_it_keeps_going_without_what_is_refused_and_what_is_made_from_it(file, conn):
    file.write(
        record("a", artifact_id="a1"),
        record("bad", artifact_id="x1", code_commit_sha="abc"),
        record("child", artifact_id="x2", parent_version_id="x1"),
        record("a", artifact_id="a2", parent_version_id="a1"),
        record("grandchild", metadata=internal_metadata(base_model_id="x2")),
        b'{"name": "typo", "artifact_id": "x3", "metadata": {}}\n',
        record("of typo", parent_version_id="x3"),
    )
    ended = file.register("--keep-going", "--chunk-size", "4")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "models.jsonl:2: bad: /code_commit_sha: must be 40 or 64 lower-case hexadecimal digits",
        "models.jsonl:3: child: /parent_version_id: names x1, which is refused (line 2)",
        "models.jsonl:5: grandchild: /metadata/base_model_id: names x2, which is refused (line 3)",
        "models.jsonl:6: typo: /metadata/is_external: is required",
        "models.jsonl:7: of typo: /parent_version_id: names x3, which is refused (line 6)",
    ]
    assert without_time(ended.stdout) == summary("Done, without the records that are refused.", 7, 2, 0, 5, 1)
    assert versions(conn) == [("a", 1, "a1"), ("a", 2, "a2")]


def test_more_refusals_than_the_database_names_at_once_are_all_found(file, conn):
    bad = [record("bad", artifact_id=f"bad{number}", code_commit_sha="abc", code_repo_url="x") for number in range(260)]
    # The first is made from the last, which a division into smaller sets must not tear apart.
    first = record("good", artifact_id="first", parent_version_id="last")
    file.write(first, *bad, record("good", artifact_id="last"), record("child", parent_version_id="bad259"))
    ended = file.register("--keep-going")
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    assert [line.partition(":")[2].partition(":")[0] for line in lines] == [str(line) for line in range(2, 262)] + [
        "263"
    ]
    assert lines[-1] == "models.jsonl:263: child: /parent_version_id: names bad259, which is refused (line 261)"
    assert without_time(ended.stdout) == summary("Done, without the records that are refused.", 263, 2, 0, 261, 1)
    assert versions(conn) == [("good", 1, "first"), ("good", 2, "last")]


def test_a_dry_run_that_keeps_going_lists_all_and_writes_nothing(file, conn):
    file.write(record("a"), record("b", parent_version_id="x"), record("c"), record("d", parent_version_id="y"))
    ended = file.register("--dry-run", "--keep-going", "--chunk-size", "1")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "models.jsonl:2: b: /parent_version_id: there is no artifact x",
        "models.jsonl:4: d: /parent_version_id: there is no artifact y",
    ]
    assert without_time(ended.stdout) == summary("Dry run, rolled back: nothing was written.", 4, 2, 0, 2, 2)
    assert count(conn) == 0


@pytest.mark.slow
def test_two_thousand_records_most_of_them_bad_end_in_time(file, conn):
    file.write(
        *[record(f"m{number % 7}", **({"code_commit_sha": "abc"} if number % 5 else {})) for number in range(2000)]
    )
    ended = file.register("--keep-going")
    assert without_time(ended.stdout)[2:5] == [
        "registered: 400",
        "recognised by their idempotency key: 0",
        "refused: 1,600",
    ]
    assert count(conn) == 400


# --- what is no matter of a record ----------------------------------------------------------------------------------


def assert_one_line(ended: subprocess.CompletedProcess[str], *lines: str) -> None:
    assert (ended.returncode, ended.stdout, ended.stderr.splitlines()) == (1, "", list(lines))


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    ended = atlas("register", f"{tmp_path}/none.jsonl")
    assert_one_line(ended, f"atlas: cannot read {tmp_path}/none.jsonl: No such file or directory")


def test_a_folder_is_one_line(tmp_path):
    assert_one_line(atlas("register", str(tmp_path)), f"atlas: cannot read {tmp_path}: Is a directory")


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        ('{"name": "a"}'.encode("utf-16"), "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | atlas register"),
        (gzip.compress(b"{}", mtime=0), "compressed by gzip", "gunzip -c FILE | atlas register"),
        (b'[\n{"name": "a"}\n]', "one JSON array", "jq -c '.[]' FILE | atlas register"),
    ],
)
def test_another_format_is_one_line_and_a_hint(file, content, what, hint):
    file.write(content)
    assert_one_line(file.register(), f"atlas: models.jsonl is {what}, not JSON Lines in UTF-8", f"  hint: {hint}")


def test_a_server_that_is_down_is_one_line_and_a_hint(file):
    file.write(record())
    file.url = "postgresql://user:hush@127.0.0.1:1/db"
    assert_one_line(
        file.register(),
        "atlas: cannot connect to postgresql://user:***@127.0.0.1:1/db: Connection refused",
        "  hint: start the server, or check the host and the port in the URL",
    )


def test_without_a_url_and_a_local_server_it_says_how_to_get_one(file, tmp_path):
    file.write(record())
    path = str(tmp_path / "models.jsonl")
    assert_one_line(
        atlas("register", path, ATLAS_LOCAL_DIR=str(tmp_path / "local")),
        "atlas: there is no local cluster yet",
        "  hint: make migrate (or: atlas migrate) makes it",
    )


def test_a_schema_without_a_registry_is_one_line_and_a_hint(file):
    file.write(record())
    assert_one_line(
        file.register("--schema", "elsewhere"),
        "atlas: this database has no registry in this schema, or one that is older than the client;"
        " nothing was written",
        "  hint: run: atlas migrate URL; or name the registry's schema: --schema …",
    )


def test_a_role_that_may_not_register_is_one_line_and_a_hint(file):
    file.write(record(metadata={}))
    file.url = file.url.replace("//postgres", "//test_reader")
    assert_one_line(
        file.register(),
        "atlas: permission denied for function register_models; nothing was written",
        "  hint: the role needs atlas_registrar to register, atlas_reviewer to promote, reject, delete or backfill,"
        " atlas_steward to set gates and policies, atlas_reader to read",
    )


def test_a_read_only_session_is_one_line(file):
    file.write(record())
    file.url += "?options=-cdefault_transaction_read_only%3Don"
    assert_one_line(file.register(), "atlas: cannot execute INSERT in a read-only transaction; nothing was written")


@pytest.mark.parametrize("options", [["--chunk-size", "0"], ["--chunk-size", "5001"], ["--no-such-option"], ["a", "b"]])
def test_a_wrong_command_line_is_a_usage_error(options):
    assert atlas("register", *options).returncode == 2


def test_the_help_shows_examples_and_the_exit_codes():
    text = atlas("register", "--help").stdout
    assert "Examples:\n    atlas register models.jsonl\n" in text
    assert "Exit codes:\n    0    every record is registered" in text
    assert "    130  interrupted\n" in text


# --- on a terminal --------------------------------------------------------------------------------------------------


def on_a_terminal(file: File, *options: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, standard output (a pipe) and what a terminal of 100 columns gets as standard error."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [*PROGRAM, "register", *options, "models.jsonl"]
    environment = environment_with(DATABASE_URL=file.url, TERM="xterm") | environment
    with subprocess.Popen(command, cwd=file.folder, env=environment, stdout=subprocess.PIPE, stderr=its) as process:
        os.close(its)
        shown = b""
        with suppress(OSError):  # the way a terminal ends
            while data := os.read(ours, 65536):
                shown += data
        stdout = process.communicate(timeout=30)[0].decode()
    os.close(ours)
    return process.returncode, stdout, shown.decode()


def test_a_terminal_shows_a_bar_that_is_gone_in_the_end(file):
    file.write(*[record(f"m{number}") for number in range(1200)])
    code, stdout, shown = on_a_terminal(file, "--chunk-size", "500")
    assert code == 0
    assert without_time(stdout) == summary("Done.", 1200, 1200, 0, 0, 1200)
    # The last frame, without its colours; then the cursor is back, one line up, and the line is cleared.
    frames = re.sub(r"\x1b\[[0-9;]*m", "", shown).split("\x1b[2K")
    assert re.fullmatch(r"registering ━+ 100 %  1,200 records \d:\d\d:\d\d\r\n\x1b\[\?25h\r\x1b\[1A", frames[-2])
    assert frames[-1] == ""


def test_what_is_refused_stands_below_where_the_bar_was(file):
    file.write(record(), b"{\n")
    code, _, shown = on_a_terminal(file)
    assert code == 1
    assert shown.endswith(
        "\x1b[2Kmodels.jsonl:2: column 2: is not valid JSON: Expecting property name enclosed in double quotes\r\n"
    )


def test_a_terminal_that_cannot_draw_shows_no_bar(file):
    file.write(record())
    assert on_a_terminal(file, TERM="dumb")[2] == ""


def test_without_a_file_on_a_terminal_it_asks_for_one():
    ours, its = pty.openpty()
    ended = subprocess.run(
        [*PROGRAM, "register"], stdin=its, capture_output=True, text=True, check=False, env=environment_with()
    )
    os.close(its)
    os.close(ours)
    assert ended.returncode == 2
    assert ended.stderr.endswith("Error: Missing argument 'FILE': a JSON Lines file, or - for standard input.\n")


# --- interrupted ----------------------------------------------------------------------------------------------------


@contextmanager
def blocked_in_the_second_chunk(file: File, conn: psycopg.Connection, connect: Any) -> Iterator[tuple[Any, Any]]:
    """The command, waiting for a lock; gives the process, and what waits for it and gives its server process id."""
    register(conn, "held")
    file.write(record("a"), record("held"))
    holder = connect(autocommit=False)
    holder.execute("select from registered_models for update")
    command = [*PROGRAM, "register", "--chunk-size", "1", "models.jsonl"]
    environment = environment_with(DATABASE_URL=file.url)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=file.folder, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        seen: list[int] = []

        def wait() -> int:
            query = """
                select pid
                from pg_stat_activity
                where application_name = 'atlas register' and datname = current_database() and pid <> all(%s)
            """
            wait_until(lambda: conn.execute(query, [seen]).fetchone(), "the command to connect")
            seen.append(conn.execute(query, [seen]).fetchone()[0])
            wait_until_blocked(conn, seen[-1])
            return seen[-1]

        try:
            yield process, wait
        finally:
            process.kill()
    holder.rollback()


def test_interrupted_it_writes_nothing_and_says_so(file, conn, connect):
    with blocked_in_the_second_chunk(file, conn, connect) as (process, wait):
        wait()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (130, "", "atlas: interrupted; nothing was written\n")
    assert count(conn) == 1


def test_a_connection_that_is_lost_again_writes_nothing_and_says_so(file, conn, connect):
    with blocked_in_the_second_chunk(file, conn, connect) as (process, wait):
        conn.execute("select pg_terminate_backend(%s)", [wait()])
        conn.execute("select pg_terminate_backend(%s)", [wait()])
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (1, "")
    assert stderr.splitlines() == [
        "the connection to the database was lost; nothing was written; trying once more",
        "atlas: the connection to the database was lost; nothing was written",
        "  hint: run it again: what has an idempotency_key is not registered twice",
    ]
    assert count(conn) == 1


def test_a_cancelled_statement_writes_nothing_and_says_so(file, conn, connect):
    with blocked_in_the_second_chunk(file, conn, connect) as (process, wait):
        conn.execute("select pg_cancel_backend(%s)", [wait()])
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (1, "")
    assert stderr == "atlas: canceling statement due to user request; nothing was written\n"
    assert count(conn) == 1


@contextmanager
def line_that_is_cut(server: tuple[str, int], word: bytes) -> Iterator[int]:
    """A port that leads to the server until the first client says a word, which still gets through."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket, end: bytes | None) -> None:
            with client, socket.create_connection(server) as upstream:

                def answer() -> None:
                    with suppress(OSError):  # the client is gone
                        while data := upstream.recv(65536):
                            client.sendall(data)

                answering = threading.Thread(target=answer)
                answering.start()
                while data := client.recv(65536):
                    if end is not None and end in data:
                        client.shutdown(socket.SHUT_RDWR)
                    upstream.sendall(data)
                upstream.shutdown(socket.SHUT_WR)
                answering.join()

        def accept() -> None:
            end: bytes | None = word
            with suppress(OSError):  # the listener is closed
                while True:
                    serve(listener.accept()[0], end)
                    end = None

        serving = threading.Thread(target=accept)
        serving.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()


def register_by_a_line_that_is_cut(file: File, word: bytes) -> Any:
    parts = conninfo_to_dict(file.url)
    with line_that_is_cut((parts["host"], int(parts["port"])), word) as port:
        file.url = file.url.replace(f":{parts['port']}/", f":{port}/") + "?sslmode=disable&gssencmode=disable"
        return file.register()


@pytest.mark.parametrize(
    ("word", "said", "counted"),
    [
        (b"set constraints", "nothing was written", "registered: 1"),
        (b"COMMIT", "whether it was written is unknown", "recognised by their idempotency key: 1"),
    ],
)
def test_a_lost_connection_is_replaced_once_and_nothing_is_registered_twice(file, conn, word, said, counted):
    file.write(record(idempotency_key="k"))
    ended = register_by_a_line_that_is_cut(file, word)
    assert ended.returncode == 0
    assert ended.stderr == f"the connection to the database was lost; {said}; trying once more\n"
    assert counted in ended.stdout.splitlines()
    assert count(conn) == 1


def test_what_may_have_been_written_without_keys_is_not_repeated(file):
    file.write(record())
    assert_one_line(
        register_by_a_line_that_is_cut(file, b"COMMIT"),
        "atlas: the connection to the database was lost; whether it was written is unknown",
        "  hint: run it again: what has an idempotency_key is not registered twice",
    )
