"""Landings of what is derived from records: no feed looks fresher for them, and rules read their touches."""

from ingestion.intake.merge import LANDING_LOCK

STATEMENTS = [
    # In the caller's transaction; ``what``: identity or relations.
    f"""
    create or replace function supervision_derived_landing(what text, at_time timestamptz)
    returns bigint language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    declare
        fresh bigint;
        batch bigint;
    begin
        perform pg_advisory_xact_lock({LANDING_LOCK});
        select coalesce(max(number), 0) + 1 into fresh from ingestion_landing;
        insert into ingestion_batch (feed, file_name, digest, size, received_at, received_by, snapshot, state, received, loaded,
            unchanged, duplicate, quarantined, blank, removed, landing, landed_at, fence, progress, layout)
        values ('', what, encode(sha256(convert_to(what || ':' || fresh, 'UTF8')), 'hex'), 0, at_time, what, false,
            'landed', 0, 0, 0, 0, 0, 0, 0, fresh, at_time, 0, 0, '{{}}')
        returning id into batch;
        insert into ingestion_landing (number, feed, kind, batch_id, landed_at)
        values (fresh, '', 'derived', batch, at_time);
        return fresh;
    end $$
    """,
    "revoke all on function supervision_derived_landing(text, timestamptz) from public",
    "grant execute on function supervision_derived_landing(text, timestamptz) to cx_worker",
]
