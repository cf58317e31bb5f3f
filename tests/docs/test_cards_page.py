"""The page about cards and bills: typed again on the example of `make migrate`, its commands print what it shows."""

from __future__ import annotations

import re

import psycopg

from atlas_models import example, migration_runner
from commands import as_url
from printed_sessions import ROOT, Step, steps, type_again


def test_the_sessions_of_the_page_print_what_it_shows(template_database, new_database):
    assert template_database  # made first: it makes the roles
    url = new_database()
    assert example.lay_down(url, "atlas")
    migration_runner.migrate(url)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("call atlas.backfill_model_versions()")
    text = (ROOT / "docs" / "cards.md").read_text(encoding="utf-8")
    # Four backticks: what is printed holds three.
    sessions = re.findall(r"^````console\n(.*?)^````$", text, flags=re.DOTALL | re.MULTILINE)
    expected: list[Step] = [step for session in sessions for step in steps(session)]
    assert len(expected) == 3
    assert [step for session in sessions for step in type_again(session, as_url(url))] == expected
