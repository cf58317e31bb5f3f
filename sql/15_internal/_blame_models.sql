-- Finds out which models of a refused set are to blame, by taking them one by one; it always leaves an error or nothing.
create or replace function _blame_models(models jsonb)
returns void
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
declare
    v_models jsonb[];
    v_model jsonb;
    v_new_ids text[];
    v_place integer;
    v_refused integer := 0;
    v_lines text[] := '{}';
    v_first record;
    v_state text;
    v_message text;
    v_detail text;
    v_hint text;
    v_table text;
    v_column text;
    v_constraint text;
begin
    if jsonb_typeof(models) is distinct from 'array' then
        return;
    end if;
    v_models := array(select e from jsonb_array_elements(models) as e);
    v_new_ids := array(
        select m.element ->> 'artifact_id'
        from unnest(v_models) as m (element)
        where not exists (select from artifacts as a where a.id = m.element ->> 'artifact_id')
    );
    for v_place in 1 .. cardinality(v_models) loop
        v_model := v_models[v_place];
        -- What it is made from may stand further on in the set, or be refused itself: neither is this model's fault.
        if
            v_model ->> 'parent_version_id' is distinct from v_model ->> 'artifact_id'
            and v_model ->> 'parent_version_id' = any(v_new_ids)
        then
            v_model := v_model - 'parent_version_id'::text;
        end if;
        if
            v_model #>> '{metadata,base_model_id}' is distinct from v_model ->> 'artifact_id'
            and v_model #>> '{metadata,base_model_id}' = any(v_new_ids)
            and coalesce(v_model ->> 'base_model_id', v_model #>> '{metadata,base_model_id}') = v_model #>> '{metadata,base_model_id}'
        then
            v_model := (v_model #- '{metadata,base_model_id}') - 'base_model_id'::text;
        end if;
        begin
            perform _register(array[jsonb_populate_record(null::model_registration, v_model)], true);
        exception when
            data_exception or integrity_constraint_violation or program_limit_exceeded
            or sqlstate 'MR003' or sqlstate 'MR005' or sqlstate 'MR007'
        then
            get stacked diagnostics
                v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail,
                v_hint = pg_exception_hint, v_table = table_name, v_column = column_name,
                v_constraint = constraint_name;
            v_refused := v_refused + 1;
            if v_refused = 1 then
                v_first := row(v_state, v_hint, v_table, v_column, v_constraint);
            end if;
            -- A DETAIL of ours is lines that open with a JSON pointer; anything else goes below the model's own place.
            v_lines := v_lines || array(
                select format(
                    '/%s%s%s', v_place - 1,
                    case when v_column = 'metadata' then '/metadata' end,
                    case when l.line ~ '^(/[^:]*)?: ' then l.line else ': ' || l.line end
                )
                from regexp_split_to_table(
                    -- PostgreSQL's own DETAIL of a CHECK is the whole row.
                    case when v_detail like 'Failing row%' or v_detail = '' then v_message else v_detail end, e'\n'
                ) as l (line)
            );
        end;
    end loop;
    if v_refused > 0 then
        v_lines := case
            when cardinality(v_lines) > 100 then v_lines[:100] || format(': and %s more', cardinality(v_lines) - 100)
            else v_lines
        end;
        raise exception '% of % models cannot be registered', v_refused, cardinality(v_models) using
            errcode = v_first.f1,
            detail = array_to_string(v_lines, e'\n'),
            hint = coalesce(nullif(v_first.f2, ''), 'Correct these models; nothing was written.'),
            schema = current_schema(), table = v_first.f3, column = v_first.f4, constraint = v_first.f5;
    end if;
end
$function$;

comment on function _blame_models(jsonb) is
$$Raises one error for all models of a set that cannot be registered: SQLSTATE and constraint of the first, a DETAIL line for each
problem of each (at most 100). Returns when each of them alone is acceptable.$$;
