-- Whether whoever writes says that the rows lack nothing, so that triggers need not fill or explain them. A hint that anybody may give, and
-- no permission: see docs/architecture.md. A function, because the conditions of triggers are read anew by every statement.
create or replace function rows_are_complete()
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    return current_setting('atlas_models.rows_are_complete', true) is not distinct from 'yes';
end
$function$;

comment on function rows_are_complete() is
$$Whether the setting atlas_models.rows_are_complete is 'yes': row triggers then pass over rows that show no gap.$$;
