"""docs/tutorial.md, typed from its beginning to its end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from atlas_models import example
from atlas_models.migration_runner import migrate
from commands import as_url, atlas
from printed_sessions import follow

PAGE = "docs/tutorial.md"


def test_every_block_prints_what_the_page_shows(empty_database: str) -> None:
    assert example.lay_down(empty_database, "atlas")
    migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as conn:
        name = conninfo_to_dict(empty_database)["dbname"]
        conn.execute(f"alter database {name} set search_path = atlas, public")
    url = as_url(empty_database)
    # What `make migrate` does on the local server.
    assert atlas("backfill", DATABASE_URL=url).returncode == 0
    typed_as = {".venv/bin/atlas": "atlas", "make migrate": None, "make stop": None}
    assert follow(PAGE, url, typed_as=typed_as) == 14


@pytest.mark.long
def test_it_goes_the_same_way_on_a_local_server(tmp_path: Path) -> None:
    folder = tmp_path / ".local"
    local = {"ATLAS_LOCAL_DIR": str(folder)}
    try:
        typed_as = {"make migrate": "atlas migrate", "make stop": "atlas local stop", ".venv/bin/atlas": "atlas"}
        assert (
            follow(PAGE, lambda: atlas("local", "url", **local).stdout.strip(), environment=local, typed_as=typed_as)
            == 14
        )
    finally:
        atlas("local", "stop", **local)
        shutil.rmtree(json.loads((folder / "cluster.json").read_text())["base"])
