-- The backfill of legacy models: its log, which is also the queue of what waits for a person, and what holds a row that was legacy.
-- Why: nothing of an old catalogue is lost or guessed; what became of every row, and by which rule, can be read afterwards.
-- Locks: ACCESS EXCLUSIVE on artifacts for the triggers bound here, no longer than this transaction. Ways down: docs/migrations.md.

set local role atlas_owner;

create table backfill_log (
    artifact_id text not null,
    position bigint generated always as identity,
    outcome text not null default 'planned',
    chain_root text not null,
    chain_place integer not null default 1,
    chain_title text,
    model_name text,
    is_placed boolean not null default false,
    chain_questions jsonb not null default '[]',
    chain_changes jsonb not null default '[]',
    questions jsonb not null default '[]',
    changes jsonb not null default '[]',
    was jsonb,
    became jsonb,
    promoted_by text,
    answers jsonb not null default '{}',
    notes text,
    blocked jsonb,
    rules_digest text,
    planned_at timestamptz not null default now(),
    settled_at timestamptz,
    settled_by text,
    constraint backfill_log_pkey primary key (artifact_id),
    constraint backfill_log_outcome_known check (outcome in ('planned', 'backfilled', 'queued')),
    constraint backfill_log_place_positive check (chain_place >= 1),
    constraint backfill_log_answers_object check (jsonb_typeof(answers) = 'object')
)
-- What a row was and became stays in the row where a page can hold it: compressing it, or writing it elsewhere, costs more than its room.
with (toast_tuple_target = 8160);

create index idx_backfill_log_chain on backfill_log (chain_root);
create index idx_backfill_log_title on backfill_log (chain_title) where chain_title is not null;
create index idx_backfill_log_planned on backfill_log (position)
where outcome = 'planned' and (artifact_id = chain_root or model_name is null or is_placed);
create index idx_backfill_log_queued on backfill_log (artifact_id) where outcome = 'queued';

comment on table backfill_log is
$$One row for each legacy model that the backfill has seen: what it was, what it became, by which rules, and what waits for a person.$$;
comment on column backfill_log.artifact_id is $$The legacy model.$$;
comment on column backfill_log.position is
$$The order in which rows are settled: the oldest first, as they lie in the table. In the order of their ids a batch would write to a
thousand places of a large one.$$;
comment on column backfill_log.outcome is $$planned: not settled yet; backfilled: validated; queued: its questions wait for a person.$$;
comment on column backfill_log.chain_root is $$The first version of the chain of parents that the row belongs to.$$;
comment on column backfill_log.chain_place is $$The row's place in its chain, from 1.$$;
comment on column backfill_log.chain_title is $$The title that all rows of the chain share; NULL when they differ.$$;
comment on column backfill_log.model_name is $$The name that the chain gets; NULL while a question about the chain is open.$$;
comment on column backfill_log.is_placed is $$Whether the row has its name and number in artifacts already.$$;
comment on column backfill_log.chain_questions is $$What cannot be told about the chain: an array like questions.$$;
comment on column backfill_log.chain_changes is $$What giving the row its name and number changed: an array like changes.$$;
comment on column backfill_log.questions is
$$What waits for a person: an array of {"field", "seen", "readings", "why"}. Empty once the row is backfilled.$$;
comment on column backfill_log.changes is
$$Every difference between what the row was and what it became: an array of {"rule", "from", "to", "was", "now"}.$$;
comment on column backfill_log.was is $$The row before: metadata and the columns that changed.$$;
comment on column backfill_log.became is $$The row after, once it is backfilled.$$;
comment on column backfill_log.promoted_by is $$The rule by which the legacy row itself says that it was in service.$$;
comment on column backfill_log.answers is $$What a person decided: field → value.$$;
comment on column backfill_log.notes is $$What was said with the answers.$$;
comment on column backfill_log.blocked is $$Why the row could not be written although nothing was open; resolving it tries again.$$;
comment on column backfill_log.rules_digest is $$SHA-256 of the rules that the row was settled with; other rules make it be looked at again.$$;
comment on column backfill_log.planned_at is $$When the row was first seen.$$;
comment on column backfill_log.settled_at is $$When it was backfilled or queued last.$$;
comment on column backfill_log.settled_by is $$The database user who did so.$$;

create function settle_placements()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'settle_placements() is not deployed'; end $stub$;

-- A legacy model that is given its name takes its place among the versions of it, as a new one does.
create trigger artifacts_52_settle_placements
after update on artifacts
referencing old table as old_rows new table as new_rows
for each statement
execute function settle_placements();

create trigger backfill_log_20_refuse_truncate
before truncate on backfill_log
for each statement
execute function refuse_rewriting();

alter table backfill_log enable always trigger backfill_log_20_refuse_truncate;
