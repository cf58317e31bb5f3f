-- Another artifact, named in a card so that it can be looked up.
create or replace function _card_reference(artifact_id text)
returns text
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_named text;
begin
    select
        coalesce(_markdown(a.name) || ', version ' || a.version_number, nullif(_markdown(a.title), ''), a.artifact_type)
        || ' (artifact ' || _markdown(a.id) || ')'
    into v_named
    from artifacts as a
    where a.id = _card_reference.artifact_id;
    return coalesce(v_named, 'artifact ' || _markdown(_card_reference.artifact_id) || ', which is not registered');
end
$function$;

comment on function _card_reference(text) is
$$Name and version of a model, or the title of what is none, and the artifact id, as Markdown. NULL for NULL.$$;
