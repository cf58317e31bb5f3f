-- What waits for a person: the questions that the backfill could not answer without guessing.
create or replace view backfill_reviews as
select
    b.artifact_id,
    a.title,
    a.name,
    q.question ->> 'field' as field,
    q.question -> 'seen' as seen,
    q.question -> 'readings' as readings,
    q.question ->> 'why' as why,
    b.chain_root,
    b.notes,
    b.settled_at as asked_at
from backfill_log as b
inner join artifacts as a on b.artifact_id = a.id
cross join lateral jsonb_array_elements(b.questions) with ordinality as q (question, place)
where b.outcome = 'queued'
order by b.chain_root, b.chain_place, b.artifact_id, q.place;

comment on view backfill_reviews is
$$One row for each open question about a legacy model. resolve_backfill_review(artifact_id, '{"<field>": <value>}') answers it.$$;
comment on column backfill_reviews.artifact_id is $$The legacy model that waits.$$;
comment on column backfill_reviews.title is $$Its title.$$;
comment on column backfill_reviews.name is $$The name that it has by now; NULL while its chain cannot be told.$$;
comment on column backfill_reviews.field is $$What cannot be told: a field of the metadata, a column, or 'metadata' as a whole.$$;
comment on column backfill_reviews.seen is $$What the row says about it: where → value.$$;
comment on column backfill_reviews.readings is $$What it could mean, as far as that can be said.$$;
comment on column backfill_reviews.why is $$Why it is a question.$$;
comment on column backfill_reviews.chain_root is $$The first version of the chain that the row belongs to.$$;
comment on column backfill_reviews.notes is $$What was said with earlier answers.$$;
comment on column backfill_reviews.asked_at is $$When the question arose last.$$;
