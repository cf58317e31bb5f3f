"""An old catalogue that is taken over and then backfilled."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import psycopg

from factories import internal_metadata
from old_catalogues import SQLITE_TABLE, Catalogue


class Version(NamedTuple):
    """What became of a legacy model."""

    name: str | None
    number: int | None
    is_latest: bool
    schema_version: int
    state: str | None


class LegacyCatalogue(Catalogue):
    """An old SQLite-like table of models, by default with metadata that is valid as it stands."""

    def __init__(self, url: str, *, is_empty: bool = True) -> None:
        super().__init__(url, is_empty=is_empty)
        if is_empty:
            self.run(SQLITE_TABLE)

    def add(self, artifact_id: str, title: str | None = None, metadata: Any = None, **columns: Any) -> None:
        """Insert an old row; metadata may be a document or its text, columns are the old table's."""
        document = internal_metadata() if metadata is None else metadata
        row: dict[str, Any] = {
            "id": artifact_id,
            "artifact_type": "model",
            "title": artifact_id.upper() if title is None else title,
            "metadata": document if isinstance(document, str) else json.dumps(document),
        }
        row |= columns
        names = ", ".join(row)
        with self.session() as conn:
            conn.execute(f"insert into artifacts ({names}) values ({', '.join(['%s'] * len(row))})", list(row.values()))

    def chain(self, *ids: str, **columns: Any) -> None:
        """Insert rows that are versions 1..n of one model, the last of them the latest."""
        for place, artifact_id in enumerate(ids, start=1):
            own = {"version_number": place, "is_latest": int(place == len(ids)), "title": ids[0].upper()}
            own["parent_version_id"] = ids[place - 2] if place > 1 else None
            self.add(artifact_id, **(own | columns))

    def backfill(self, arguments: str = "") -> str:
        """Adopt the table where that was not done, call the procedure, return its last notice."""
        if not self.value("select exists (select from pg_proc where proname = 'backfill_model_versions')"):
            self.adopt()
        notices: list[str] = []

        def keep(notice: psycopg.errors.Diagnostic) -> None:
            notices.append(notice.message_primary or "")

        with self.session() as conn:
            conn.add_notice_handler(keep)
            try:
                conn.execute(f"call backfill_model_versions({arguments})")
            finally:
                conn.remove_notice_handler(keep)
        return notices[-1]

    def version(self, artifact_id: str) -> Version:
        query = """
            select a.name, a.version_number, a.is_latest, a.metadata_schema_version, v.promotion_state
            from artifacts as a left join model_versions as v on a.id = v.artifact_id
            where a.id = %s
        """
        return Version(*self.rows(query, artifact_id)[0])

    def questions(self, artifact_id: str) -> list[tuple[str, Any, Any, str]]:
        query = "select field, seen, readings, why from backfill_reviews where artifact_id = %s"
        return self.rows(query, artifact_id)

    def resolve(self, artifact_id: str, notes: str | None = None, **patch: Any) -> tuple[str, int]:
        query = "select outcome, open_questions from resolve_backfill_review(%s, %s, %s)"
        return self.rows(query, artifact_id, json.dumps(patch), notes)[0]

    def everything(self) -> list[tuple]:
        """All that the backfill writes, but for the times."""
        return self.rows(
            """
            select 'artifact', to_jsonb(a) - '{created_at,updated_at}'::text[] from artifacts as a
            union all
            select 'version', to_jsonb(v) - '{created_at,first_promoted_at}'::text[] from model_versions as v
            union all
            select 'name', to_jsonb(r) - 'created_at' from registered_models as r
            union all
            select 'log', to_jsonb(b) - '{planned_at,settled_at}'::text[] from backfill_log as b
            order by 1, 2
            """
        )
