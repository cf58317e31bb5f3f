-- Evaluations, gates and policies that a promotion must meet, and the history of everything that changes.
-- Why: who put a version into production, on what evidence, who approved it and what was there before can be asked for ever after.
-- Locks: EXCLUSIVE on registered_models, then SHARE ROW EXCLUSIVE on artifacts and model_versions for what is bound here, no longer than
-- this transaction, in which one event is written for each version that is there. Ways down: docs/migrations.md.

-- Before anything is read or bound: whoever writes versions comes through this table first, so behind this lock nobody is half-way
-- through the others, neither to deadlock with nor to be overlooked.
lock table registered_models in exclusive mode;

-- The history is kept from its writers: atlas_owner may add to it (sql/90_privileges.sql says in which columns) and neither change it
-- nor take its guards away. So it belongs to the superuser who deploys.
create table model_events (
    event_id bigint generated always as identity,
    transaction_id xid8 not null default pg_current_xact_id(),
    happened_at timestamptz not null default clock_timestamp(),
    actor text not null default session_user,
    on_behalf_of text default left(nullif(current_setting('atlas_models.on_behalf_of', true), ''), 256),
    action text not null,
    artifact_id text,
    model_name text,
    version_number integer,
    reason text,
    old jsonb,
    new jsonb,
    gates text,
    evidence jsonb,
    constraint model_events_pkey primary key (event_id),
    constraint model_events_action_known check (
        -- One constant and not sixteen: every registration reads this anew.
        action = any('{
            registered, adopted, changed, code_linked, training_recorded, evaluated, promoted, superseded, rejected, demoted,
            reopened, deleted, gate_set, gate_removed, policy_set, policy_removed
        }')
    ),
    constraint model_events_gates_known check (gates = any('{passed, overridden, none}'))
);

create index idx_model_events_name on model_events (model_name, event_id);

comment on table model_events is
$$What happened to models, gates and policies, in the transaction in which it happened. Only ever grows; model_history() reads it.$$;
comment on column model_events.event_id is $$Order of the events of one version, and of the promotions of one name.$$;
comment on column model_events.transaction_id is $$The transaction that it happened in; what happened in one belongs together.$$;
comment on column model_events.happened_at is $$The time of the change itself, not of its transaction's beginning or end.$$;
comment on column model_events.actor is $$The database user who was logged in.$$;
comment on column model_events.on_behalf_of is $$For whom the actor said to act, by the setting atlas_models.on_behalf_of; a claim.$$;
comment on column model_events.action is $$What happened: registered, adopted, promoted, superseded, rejected, demoted, reopened, changed, code_linked …$$;
comment on column model_events.artifact_id is $$The version that it happened to; NULL for gates and policies.$$;
comment on column model_events.model_name is $$The model's name; NULL for a gate or policy for every model.$$;
comment on column model_events.version_number is $$The version's number within its name.$$;
comment on column model_events.reason is $$Why, in the words of who did it.$$;
comment on column model_events.old is $$The columns that changed, as they were; of a deleted version everything there was.$$;
comment on column model_events.new is $$The columns that changed, as they became; of a registration a few facts.$$;
comment on column model_events.gates is $$Of a promotion: passed, overridden, or none when it was done without asking for them.$$;
comment on column model_events.evidence is $$Of a promotion: what every gate and policy wanted and found, as check_gates() shows it.$$;

-- What stood before there was a history. Which of them was in service is known from now on.
insert into model_events (action, artifact_id, model_name, version_number, new)
select
    'adopted' as action,
    v.artifact_id,
    v.model_name,
    a.version_number,
    jsonb_build_object('promotion_state', v.promotion_state, 'first_promoted_at', v.first_promoted_at) as new
from model_versions as v
inner join artifacts as a on v.artifact_id = a.id
where v.model_name is not null
order by v.model_name, a.version_number;

-- Stays with the superuser, as the table does.
create function guard_history()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'guard_history() is not deployed'; end $stub$;

-- Only triggers add to it. They run one level deep, and a subscriber's apply, which runs at none, is no origin.
create trigger model_events_10_refuse_insert
before insert on model_events
for each statement
when (pg_trigger_depth() = 0)
execute function guard_history();

create trigger model_events_20_refuse_change
before update or delete on model_events
for each statement
execute function guard_history();

create trigger model_events_20_refuse_truncate
before truncate on model_events
for each statement
execute function guard_history();

alter table model_events enable always trigger model_events_20_refuse_change;
alter table model_events enable always trigger model_events_20_refuse_truncate;

set local role atlas_owner;

create table model_evaluations (
    evaluation_id bigint generated always as identity,
    artifact_id text not null,
    benchmark_id text,
    eval_dataset_artifact_id text,
    metrics jsonb not null,
    evaluated_at timestamptz not null,
    evaluated_by text,
    notes text,
    digest bytea not null,
    recorded_by text not null default session_user,
    recorded_at timestamptz not null default now(),
    constraint model_evaluations_pkey primary key (evaluation_id),
    constraint model_evaluations_once unique (artifact_id, digest),
    constraint model_evaluations_version_fkey foreign key (artifact_id) references model_versions (artifact_id) on delete cascade,
    constraint model_evaluations_eval_dataset_fkey foreign key (eval_dataset_artifact_id) references artifacts (id),
    -- In the order of their names: what could not be written out comes first.
    constraint model_evaluations_metrics_bounded check (has_bounded_numbers(metrics)),
    constraint model_evaluations_metrics_named check (
        jsonb_typeof(metrics) = 'object'
        and metrics <> '{}'
        and octet_length(metrics::text) <= 1048576
        and not jsonb_path_exists(
            metrics, 'strict $.keyvalue() ? (@.value.type() != "number" || !(@.key like_regex "[^ \t\r\n]"))', silent => true
        )
    ),
    constraint model_evaluations_evaluated_at_finite check (isfinite(evaluated_at))
);

create index idx_model_evaluations_latest on model_evaluations (artifact_id, evaluated_at desc, evaluation_id desc);
create index idx_model_evaluations_eval_dataset on model_evaluations (eval_dataset_artifact_id)
where eval_dataset_artifact_id is not null;

comment on table model_evaluations is
$$Every evaluation that was recorded, not only the last; what gates look at. Rows are neither changed nor removed, unless with their version.$$;
comment on column model_evaluations.evaluation_id is $$Identity of the evaluation.$$;
comment on column model_evaluations.artifact_id is $$The version that was evaluated.$$;
comment on column model_evaluations.benchmark_id is $$The benchmark that it was evaluated on; NULL when it is none with a name.$$;
comment on column model_evaluations.eval_dataset_artifact_id is $$The dataset artifact that it was evaluated on.$$;
comment on column model_evaluations.metrics is $$Metric name → finite number, at least one.$$;
comment on column model_evaluations.evaluated_at is $$When it was evaluated; the greatest is the latest.$$;
comment on column model_evaluations.evaluated_by is $$Who is said to have evaluated it: a claim.$$;
comment on column model_evaluations.notes is $$What was said of it.$$;
comment on column model_evaluations.digest is $$SHA-256 of the arguments of record_evaluation(), by which a repeated call is recognised.$$;
comment on column model_evaluations.recorded_by is $$The database user who recorded it. Kept by the database.$$;
comment on column model_evaluations.recorded_at is $$When it was recorded. Kept by the database.$$;

create table promotion_gates (
    gate_id bigint generated always as identity,
    model_name text,
    metric text not null,
    comparator text not null,
    threshold double precision not null,
    benchmark_id text,
    set_by text not null default session_user,
    set_at timestamptz not null default now(),
    constraint promotion_gates_pkey primary key (gate_id),
    constraint promotion_gates_once unique nulls not distinct (model_name, metric, comparator, benchmark_id),
    constraint promotion_gates_model_name_wellformed check (is_model_name(model_name)),
    constraint promotion_gates_metric_wellformed check (is_model_name(metric)),
    constraint promotion_gates_benchmark_wellformed check (is_model_name(benchmark_id)),
    constraint promotion_gates_comparator_known check (comparator in ('>=', '>', '<=', '<', '=', '<>')),
    constraint promotion_gates_threshold_finite check (threshold not in ('NaN', 'Infinity', '-Infinity'))
);

comment on table promotion_gates is
$$What a version's latest recorded evaluation must show before promote_model() promotes it.$$;
comment on column promotion_gates.gate_id is $$Identity of the gate.$$;
comment on column promotion_gates.model_name is $$The model that it is for; NULL: every model.$$;
comment on column promotion_gates.metric is $$The metric that is looked at.$$;
comment on column promotion_gates.comparator is $$How the metric must compare with the threshold: >=, >, <=, <, = or <>.$$;
comment on column promotion_gates.threshold is $$What the metric is compared with.$$;
comment on column promotion_gates.benchmark_id is $$The benchmark whose latest evaluation counts; NULL: any.$$;
comment on column promotion_gates.set_by is $$The database user who set it last.$$;
comment on column promotion_gates.set_at is $$When it was set last.$$;

create table promotion_policies (
    policy_id bigint generated always as identity,
    model_name text,
    require_code_pin boolean,
    require_evaluation boolean,
    require_second_person boolean,
    set_by text not null default session_user,
    set_at timestamptz not null default now(),
    constraint promotion_policies_pkey primary key (policy_id),
    constraint promotion_policies_once unique nulls not distinct (model_name),
    constraint promotion_policies_default_complete check (
        model_name is not null or num_nulls(require_code_pin, require_evaluation, require_second_person) = 0
    )
);

comment on table promotion_policies is
$$What is asked of a version, besides the gates, before promote_model() promotes it: one row for every model, and others for single ones.$$;
comment on column promotion_policies.policy_id is $$Identity of the row.$$;
comment on column promotion_policies.model_name is $$The model that it is for; NULL: every model that has no row, or NULL in it.$$;
comment on column promotion_policies.require_code_pin is $$Whether an internal version needs its repository and commit; NULL: as for every model.$$;
comment on column promotion_policies.require_evaluation is $$Whether an internal version needs a recorded evaluation; NULL: as for every model.$$;
comment on column promotion_policies.require_second_person is
$$Whether who registered a version must not promote it; NULL: as for every model.$$;
comment on column promotion_policies.set_by is $$The database user who set it last.$$;
comment on column promotion_policies.set_at is $$When it was set last.$$;

insert into promotion_policies (require_code_pin, require_evaluation, require_second_person) values (true, true, false);
alter table promotion_policies
add constraint promotion_policies_model_name_wellformed check (is_model_name(model_name)) not valid;

-- Stubs, as in 0001.
do $do$
declare
    v_function text;
begin
    foreach v_function in array array[
        'record_registrations', 'record_artifact_changes', 'record_version_changes', 'record_evaluations', 'record_rules',
        'guard_removal', 'refuse_lone_removal', 'settle_removals', 'complete_evaluation'
    ] loop
        execute format(
            'create function %I() returns trigger
             language plpgsql volatile called on null input parallel unsafe security invoker
             set search_path from current
             as $stub$ begin raise exception ''%s() is not deployed''; end $stub$',
            v_function, v_function
        );
    end loop;
end
$do$;

-- A version that was never in service, and that nothing refers to, may be deleted, by who may delete its version row too: not by the old
-- application of a table that was taken over. What can be told from the row alone is refused everywhere, as before; for the rest
-- the row must be looked at with its version.
create or replace trigger artifacts_20_refuse_delete
before delete on artifacts
for each row
when (
    old.artifact_type = 'model'
    and (
        old.metadata_schema_version = 0
        or old.superseded_by is not null
        or not has_table_privilege('model_versions'::regclass, 'delete')
    )
)
execute function refuse_removal();

create trigger artifacts_22_guard_removal
before delete on artifacts
for each row
when (old.artifact_type = 'model')
execute function guard_removal();

create trigger artifacts_54_settle_removals
after delete on artifacts
referencing old table as old_rows
for each statement
execute function settle_removals();

create or replace trigger model_versions_20_refuse_delete
before delete on model_versions
for each row
when (old.promotion_state in ('promoted', 'superseded') or old.first_promoted_at is not null)
execute function refuse_removal();

create trigger model_versions_22_refuse_lone_removal
before delete on model_versions
for each row
execute function refuse_lone_removal();

create trigger model_evaluations_10_complete_evaluation
before insert on model_evaluations
for each row
execute function complete_evaluation();

create trigger model_evaluations_20_refuse_rewriting
before update on model_evaluations
for each row
execute function refuse_rewriting();

create trigger model_evaluations_20_refuse_truncate
before truncate on model_evaluations
for each statement
execute function refuse_rewriting();

create trigger model_evaluations_22_refuse_lone_removal
before delete on model_evaluations
for each row
execute function refuse_lone_removal();

create trigger promotion_gates_20_refuse_truncate
before truncate on promotion_gates
for each statement
execute function refuse_rewriting();

create trigger promotion_policies_20_refuse_truncate
before truncate on promotion_policies
for each statement
execute function refuse_rewriting();

-- The history. All of it fires on the origin only, and after what settles a statement.
create trigger artifacts_90_record_registrations
after insert on artifacts
referencing new table as new_rows
for each statement
execute function record_registrations();

create trigger artifacts_90_record_artifact_changes
after update on artifacts
referencing old table as old_rows new table as new_rows
for each statement
execute function record_artifact_changes();

create trigger model_versions_90_record_version_changes
after update on model_versions
referencing old table as old_rows new table as new_rows
for each statement
execute function record_version_changes();

create trigger model_evaluations_90_record_evaluations
after insert on model_evaluations
referencing new table as new_rows
for each statement
execute function record_evaluations();

create trigger promotion_gates_90_record_rules_set
after insert on promotion_gates
referencing new table as new_rows
for each statement
execute function record_rules();

create trigger promotion_gates_90_record_rules_changed
after update on promotion_gates
referencing old table as old_rows new table as new_rows
for each statement
execute function record_rules();

create trigger promotion_gates_90_record_rules_removed
after delete on promotion_gates
referencing old table as old_rows
for each statement
execute function record_rules();

create trigger promotion_policies_90_record_rules_set
after insert on promotion_policies
referencing new table as new_rows
for each statement
execute function record_rules();

create trigger promotion_policies_90_record_rules_changed
after update on promotion_policies
referencing old table as old_rows new table as new_rows
for each statement
execute function record_rules();

create trigger promotion_policies_90_record_rules_removed
after delete on promotion_policies
referencing old table as old_rows
for each statement
execute function record_rules();

alter table artifacts enable always trigger artifacts_20_refuse_delete;
alter table model_versions enable always trigger model_versions_20_refuse_delete;
alter table model_evaluations enable always trigger model_evaluations_20_refuse_rewriting;
alter table model_evaluations enable always trigger model_evaluations_20_refuse_truncate;
alter table promotion_gates enable always trigger promotion_gates_20_refuse_truncate;
alter table promotion_policies enable always trigger promotion_policies_20_refuse_truncate;
