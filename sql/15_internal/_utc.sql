-- A time as the cards write it, whatever the session's TimeZone and DateStyle.
create or replace function _utc(value timestamptz)
returns text
language sql stable called on null input parallel safe security invoker
set search_path from current
set timezone = 'UTC'
as $function$
    select replace(to_json(value) #>> '{}', '+00:00', 'Z')
$function$;

comment on function _utc(timestamptz) is $$The time in UTC, by ISO 8601: 2026-05-12T09:30:00Z.$$;
