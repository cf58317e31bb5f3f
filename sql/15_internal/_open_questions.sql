-- What stands open, in a line that people read beside the version.
create or replace function _open_questions(questions jsonb)
returns text
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    if questions = '[]' then
        return null;
    end if;
    return (
        select 'open: ' || string_agg(format('%s (%s)', q ->> 'field', q ->> 'why'), '; ' order by q.ordinality)
        from jsonb_array_elements(questions) with ordinality as q (q, ordinality)
    );
end
$function$;

comment on function _open_questions(jsonb) is
$$The questions of a row of backfill_log as one text, NULL when there is none.$$;
