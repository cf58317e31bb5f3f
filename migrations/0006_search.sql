-- What search_models() reads: one narrow row for each model version, and one for each metric of it, kept by triggers.
-- Why: a question joins facts of two tables and of a JSON document; at a million versions only prepared rows answer it at once.
-- Locks: EXCLUSIVE on registered_models, then SHARE ROW EXCLUSIVE on artifacts and model_versions, no longer than this transaction,
-- which fills the new tables: some minutes for a million versions. Ways down: docs/migrations.md.

-- Before anything is read or bound: whoever writes versions comes through this table first, so behind this lock nobody is half-way
-- through the others, neither to deadlock with nor to be overlooked.
lock table registered_models in exclusive mode;

set local role atlas_owner;

-- Ids in byte order: what begins with the same characters stands together, so a prefix finds its ids.
create table model_search (
    place bigint generated always as identity,
    artifact_id text collate "C" not null,
    registered_at timestamptz not null,
    trained_at timestamptz,
    family text collate "C",
    metrics jsonb not null,
    document tsvector not null
);

create table model_metrics (
    metric text collate "C" not null,
    value double precision not null,
    place bigint not null
);

comment on table model_search is
$$What search_models() looks for: one row for each row of model_versions, derived from it and its artifact. Kept by the database.$$;
comment on column model_search.place is
$$Orders what was registered in one transaction; shorter than the id, it stands in the indexes in its place.$$;
comment on column model_search.artifact_id is $$The model version.$$;
comment on column model_search.registered_at is $$When it was registered.$$;
comment on column model_search.trained_at is $$When its training ended.$$;
comment on column model_search.family is $$Its declared family in lower case; of a very long one the digest.$$;
comment on column model_search.metrics is $$The numbers among its latest metrics: name → value. Names of more than 1,000 bytes are left out.$$;
comment on column model_search.document is
$$The words of its name, title and description, and its facts as terms of the form =key:value.$$;

comment on table model_metrics is
$$The latest metrics of all versions, for comparisons: model_search.metrics with a row for each. Kept by the database.$$;
comment on column model_metrics.metric is $$The metric's name.$$;
comment on column model_metrics.value is $$Its value; what is smaller than a double can tell from 0 is 0, what is larger than any double is left out.$$;
comment on column model_metrics.place is $$The model version: model_search.place.$$;

-- Not stubs: the rows that are there already are filled in by them, below. sql/ replaces both.
create function _search_term(key text, value text)
returns text
language sql immutable called on null input parallel safe security invoker
as $function$
    select '=' || key || ':' || case when octet_length(value) <= 1100 then value else md5(value) end
$function$;

create view _searchable_models as
select
    v.artifact_id,
    v.created_at as registered_at,
    v.training_completed_at as trained_at,
    substr(_search_term('family', lower(a.metadata ->> 'model_family')), 9) as family,
    -- What is no finite double is put right or left out; nearly always there is nothing of the kind, which is cheap to see.
    case
        when v.eval_metrics_json is null then '{}'
        when
            octet_length(v.eval_metrics_json::text) <= 1000
            and not v.eval_metrics_json @? '$.* ? (@.type() != "number" || !(@ == 0 || @.abs() >= 1e-307 && @.abs() <= 1.797e308))'
            then v.eval_metrics_json
        else coalesce(
                (
                    select jsonb_object_agg(n.key, case when abs(n.value) < 1e-307 then 0 else n.value end)
                    from (
                        select
                            e.key,
                            case when jsonb_typeof(e.value) = 'number' then e.value::numeric end as value
                        from jsonb_each(v.eval_metrics_json) as e (key, value)
                    ) as n
                    where abs(n.value) <= 1.797e308 and octet_length(n.key) <= 1000
                ),
                '{}'
            )
    end as metrics,
    strip(to_tsvector('simple', concat_ws(' ', v.model_name, left(a.title, 1000), left(a.metadata ->> 'description', 10000))))
    || array_to_tsvector(array_remove(
        array[
            _search_term('name', v.model_name),
            _search_term('state', v.promotion_state),
            _search_term('is_external', v.is_external::text),
            _search_term('family', lower(a.metadata ->> 'model_family')),
            _search_term('framework', lower(a.metadata ->> 'framework')),
            _search_term('task', lower(a.metadata ->> 'task')),
            _search_term('trained_by', v.trained_by),
            _search_term('base_model', v.base_model_id),
            _search_term('benchmark', v.benchmark_id),
            _search_term('evaluation_dataset', v.eval_dataset_artifact_id)
        ]
        || case jsonb_typeof(a.metadata -> 'training_data')
            when 'string' then array[_search_term('training_dataset', a.metadata ->> 'training_data')]
            when 'array' then array(
                    select _search_term('training_dataset', e.element)
                    from jsonb_array_elements_text(a.metadata -> 'training_data') as e (element)
                )
        end
        || case jsonb_typeof(a.metadata -> 'evaluation_dataset')
            when 'string' then array[_search_term('evaluation_dataset', a.metadata ->> 'evaluation_dataset')]
            when 'array' then array(
                    select _search_term('evaluation_dataset', e.element)
                    from jsonb_array_elements_text(a.metadata -> 'evaluation_dataset') as e (element)
                )
        end,
        null
    )) as document
from model_versions as v
inner join artifacts as a on v.artifact_id = a.id;

comment on view _searchable_models is
$$The rows of model_search as they are to be.$$;

do $do$
declare
    v_function text;
begin
    foreach v_function in array array['keep_model_search', 'keep_model_search_of_artifact'] loop
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

create trigger model_versions_80_keep_search_insert
after insert on model_versions
referencing new table as new_rows
for each statement
execute function keep_model_search();

create trigger model_versions_80_keep_search_update
after update on model_versions
referencing old table as old_rows new table as new_rows
for each statement
execute function keep_model_search();

create trigger model_versions_80_keep_search_delete
after delete on model_versions
referencing old table as old_rows
for each statement
execute function keep_model_search();

-- For each row, because only such a trigger can be bound to columns: every registration of a known name moves its is_latest.
create trigger artifacts_85_keep_search
after update of name, title, metadata on artifacts
for each row
when (
    new.artifact_type = 'model'
    and (
        old.name is distinct from new.name
        or old.title is distinct from new.title
        or old.metadata is distinct from new.metadata
    )
)
execute function keep_model_search_of_artifact();

insert into model_search (artifact_id, registered_at, trained_at, family, metrics, document)
select
    s.artifact_id,
    s.registered_at,
    s.trained_at,
    s.family,
    s.metrics,
    s.document
from _searchable_models as s
order by s.registered_at, s.artifact_id;

insert into model_metrics (metric, value, place)
select
    e.key,
    e.value::double precision,
    s.place
from model_search as s
cross join lateral jsonb_each(s.metrics) as e (key, value);

-- The indexes after the rows, built at once. No foreign keys: rows that only triggers write need no second look.
alter table model_search
add constraint model_search_pkey primary key (place),
add constraint model_search_artifact_key unique (artifact_id);
create index idx_model_search_registered on model_search (registered_at, place);
create index idx_model_search_family on model_search (family, registered_at, place) where family is not null;
create index idx_model_search_trained on model_search (trained_at, place) where trained_at is not null;
-- New terms are collected and put in together: singly they cost four times as much. Every search reads what is collected, so it stays short.
create index idx_model_search_document on model_search using gin (document) with (fastupdate = on, gin_pending_list_limit = 256);
alter table model_metrics add constraint model_metrics_pkey primary key (metric, value, place);

-- What models point to is found by the beginning of its id, too; models are in model_search.
create index idx_artifacts_other_id on artifacts (id text_pattern_ops) where artifact_type <> 'model';
