-- Answers for metadata alone what registering it would: nothing, or the error with its reasons.
create or replace function validate_metadata(metadata jsonb)
returns void
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
declare
    v_problems integer;
    v_lines text;
begin
    if not is_bounded_metadata('model', current_metadata_schema_version(), metadata) then
        raise exception 'invalid metadata: 1 problem' using
            errcode = 'check_violation',
            detail = ': holds a number that is neither a 64-bit integer nor a finite double',
            hint = 'Numbers must lie within ±1.797e308; write anything beyond as text.',
            schema = current_schema(), table = 'artifacts', column = 'metadata', constraint = 'artifacts_metadata_bounded';
    end if;
    select count(*), string_agg(e.path || ': ' || e.message, e'\n' order by e.path, e.message)
    into v_problems, v_lines
    from metadata_errors(metadata) as e;
    if v_problems > 0 then
        raise exception 'invalid metadata: %', case v_problems when 1 then '1 problem' else v_problems || ' problems' end using
            errcode = 'check_violation',
            detail = v_lines,
            hint = format(
                'Correct the metadata; select * from %I.metadata_errors(%L) lists the same problems as rows.', current_schema(), '…'
            ),
            schema = current_schema(), table = 'artifacts', column = 'metadata', constraint = 'artifacts_metadata_valid';
    end if;
end
$function$;

comment on function validate_metadata(jsonb) is
$$Returns when the metadata is valid against the current schema; raises 23514, constraint artifacts_metadata_valid (or
artifacts_metadata_bounded for numbers beyond any double in a large document), with one DETAIL line a problem otherwise, as registering it would. Writes nothing.$$;
