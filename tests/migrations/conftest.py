"""Small folders of migrations and code to run the runner on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ROLE = """
do $$
begin
    if not exists (select from pg_roles where rolname = 'atlas_owner') then
        create role atlas_owner nologin;
    end if;
exception when duplicate_object or unique_violation then
    null;
end
$$;
do $$
begin
    execute format('grant usage, create on schema %I to atlas_owner', current_schema());
end
$$;
"""

FIRST = (
    ROLE
    + """
set local role atlas_owner;
create table things (id integer primary key, name text);
"""
)

COUNT_THINGS = """
create or replace function count_things() returns bigint language sql stable
begin atomic select count(*) from things; end;
"""

MakeSource = Callable[..., Path]


class Tree:
    """A folder with migrations/ and sql/ that a test builds and doctors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "migrations").mkdir(parents=True)
        (folder / "sql").mkdir()

    def migration(self, name: str, text: str | bytes) -> Path:
        return self._write(self.folder / "migrations" / name, text)

    def code(self, name: str, text: str | bytes) -> Path:
        return self._write(self.folder / "sql" / name, text)

    def _write(self, path: Path, text: str | bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path


@pytest.fixture
def empty_tree(tmp_path: Path) -> Tree:
    """A tree without files."""
    return Tree(tmp_path / "source")


@pytest.fixture
def tree(empty_tree: Tree) -> Tree:
    """A tree with one migration (table ``things``) and one function (``count_things()``)."""
    empty_tree.migration("0001_things.sql", FIRST)
    empty_tree.code("30_api/count_things.sql", COUNT_THINGS)
    return empty_tree
