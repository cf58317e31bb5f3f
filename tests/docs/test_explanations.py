"""The pages that explain: what they name is there, and what they show happens."""

from __future__ import annotations

import re

from commands import as_url
from printed_sessions import ROOT, follow

ROW = re.compile(r"^\| (?P<promise>[^|]+) \| (?P<held>[^|]+) \| (?P<shown>[^|]+) \|$", re.MULTILINE)
NAMES = """
    select conname from pg_constraint where connamespace = 'atlas'::regnamespace
    union select tgname from pg_trigger where not tgisinternal
    union select relname from pg_class where relnamespace = 'atlas'::regnamespace
    union select proname from pg_proc where pronamespace = 'atlas'::regnamespace
    union select parameter_name from information_schema.parameters where specific_schema = 'atlas'
    union select rolname from pg_roles where rolname like 'atlas\\_%'
"""


def test_what_holds_a_promise_and_the_test_that_shows_it_exist(conn):
    known = {name for (name,) in conn.execute(NAMES)}
    sources = {path.name: "" for path in ROOT.glob("tests/**/test_*.py")}
    for path in ROOT.glob("tests/**/test_*.py"):
        sources[path.name] += path.read_text()
    rows = [row.groupdict() for row in ROW.finditer((ROOT / "docs/guarantees.md").read_text())]
    promises = [row for row in rows if row["promise"] != "promise"]
    assert len(promises) >= 28
    for row in promises:
        assert set(re.findall(r"`(\w+)`", row["held"])) <= known, row["promise"]
        tests = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row["shown"])
        assert tests, row["promise"]
        assert [test for file, test in tests if f"\ndef {test}(" not in sources.get(file, "")] == []


def test_every_door_is_shut_as_the_page_shows(database_url):
    assert follow("docs/why_a_check.md", as_url(database_url)) == 1
