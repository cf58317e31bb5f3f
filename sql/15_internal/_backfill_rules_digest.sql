-- Tells whether the rules are still those that a row was settled with.
create or replace function _backfill_rules_digest()
returns text
language sql stable called on null input parallel safe security invoker
set search_path from current
set jit = off
begin atomic
    select encode(sha256(convert_to(coalesce(jsonb_agg(to_jsonb(r) order by r.position, r.name), '[]')::text, 'UTF8')), 'hex')
    from backfill_rules as r
    where r.enabled;
end;

comment on function _backfill_rules_digest() is
$$SHA-256, in hexadecimal, of the enabled rules.$$;
