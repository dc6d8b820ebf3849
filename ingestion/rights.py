"""Who may do what with the control tables. Pool tables get theirs from ``feed sync``."""

from ingestion import partitions

TABLES = {
    "ingestion_agreement": {"intake": "SELECT", "worker": "SELECT", "web": "SELECT"},
    "ingestion_batch": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_landing": {"intake": "SELECT, INSERT", "worker": "SELECT", "web": "SELECT"},
    "ingestion_touch": {"intake": "SELECT, INSERT", "worker": "SELECT, INSERT"},
    "ingestion_quarantine": {"intake": "SELECT, INSERT, DELETE", "web": "SELECT"},
    "ingestion_telemetrydevice": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_telemetrylimit": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_telemetrysource": {"intake": "SELECT, INSERT, UPDATE", "web": "SELECT"},
    "ingestion_telemetrycontact": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_telemetryframes": {"intake": "SELECT, INSERT"},
    "ingestion_feedissue": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT, UPDATE"},
}
STATEMENTS = [
    "create schema if not exists pool",
    "create schema if not exists staging",
    "grant usage on schema pool to cx_intake, cx_worker, cx_web",
    "grant usage, create on schema staging to cx_intake",
    *partitions.RIGHTS,
    # Rewritten every second: room on the page keeps the new version beside the old one.
    "alter table ingestion_telemetrycontact set (fillfactor = 50)",
    # The wall needs the age of every feed, nothing else of intake.
    "create or replace view wall_feed as select feed, max(landed_at) as landed_at, max(covers_until) as covers_until,"
    " count(*) as landings from ingestion_landing group by feed",
    "grant select on wall_feed to cx_wall, cx_web",
    # Which seals the rows of an evidence stand under, whoever asks may read them or not: for the owner's own functions.
    """
    create or replace function pool_seals(evidence jsonb) returns varchar[] language plpgsql stable
    set search_path = pg_catalog, public, pg_temp as $$
    declare
        item record;
        found varchar[];
        kinds varchar[] := '{}';
    begin
        if jsonb_typeof(evidence) <> 'array' then
            return kinds;
        end if;
        for item in select e ->> 'feed' as feed, array_agg((e ->> 'record_id')::bigint) as ids
                from jsonb_array_elements(evidence) e group by 1 loop
            if exists (select 1 from pg_attribute where attrelid = to_regclass(format('pool.%I', item.feed))
                    and attname = 'seal' and attgenerated = 's' and not attisdropped) then
                execute format('select array_agg(distinct seal) from pool.%I where record_id = any ($1)'
                    ' and seal is not null', item.feed) into found using item.ids;
                kinds := kinds || coalesce(found, '{}');
            end if;
        end loop;
        return array(select distinct k from unnest(kinds) k order by k);
    end $$
    """,
    "revoke all on function pool_seals(jsonb) from public",
]
