-- Normalises the legacy metadata of one row, for whoever tries a rule out; the backfill does many at once.
create or replace function normalise_metadata(metadata text, facts jsonb, rules text, answers jsonb default null)
returns jsonb
language sql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
select n.answer
from _normalise_documents(array[metadata], array[facts], rules, array[answers]) as n (answer)
$function$;

comment on function normalise_metadata(text, jsonb, text, jsonb) is
$$Normalises the legacy metadata of one row, given as the text that stood there. facts: the row's other columns that say something;
rules: the rows of backfill_rules as a JSON array, in order; answers: field → what a person decided, null to leave it out.
One object: metadata, columns, promoted_by, changes, questions, valid. Raises for no document, only 22023 for arguments that are not what they must be.$$;
