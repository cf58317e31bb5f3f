-- pg_jsonschema's jsonb_matches_schema(): the same as for json. Bound to it when created, not when called.
create or replace function jsonb_matches_schema(schema json, instance jsonb)
returns boolean
language sql immutable strict parallel safe security invoker
return json_matches_schema(schema, instance::text::json);

comment on function jsonb_matches_schema(json, jsonb) is
$$Whether instance is valid against a JSON Schema (drafts 4 to 2020-12), as in pg_jsonschema. 22023 when the schema is none.$$;
