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
    "ingestion_agencykey": {"intake": "SELECT", "worker": "SELECT", "web": "SELECT"},
    # A disc is registered and confirmed at the desk; everything else of a delivery is intake's.
    "ingestion_delivery": {
        "intake": "SELECT, INSERT, UPDATE",
        "worker": "SELECT",
        "web": "SELECT, INSERT, UPDATE (state, confirmed_by, confirmed_at, problem, ended_at)",
    },
    "ingestion_deliveryfile": {
        "intake": "SELECT, INSERT, UPDATE",
        "worker": "SELECT",
        "web": "SELECT, INSERT",
    },
    "ingestion_sourcemark": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
}
STATEMENTS = [
    # Two people, held a second time below the application: the desk registers discs in the name of whoever is
    # signed in, and sets one going or refuses it in the name of somebody else.
    """
    create or replace function ingestion_delivery_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if current_user <> 'cx_web' then
            return new;
        end if;
        if current_setting('cx.person', true) is null or current_setting('cx.person', true) = '' then
            raise exception 'a person registers a delivery' using errcode = 'insufficient_privilege';
        end if;
        if tg_op = 'INSERT' then
            if new.way <> 'disc' or new.state <> 'confirming' or new.confirmed_by is not null
                    or new.registered_by <> current_setting('cx.person', true) then
                raise exception 'the desk registers discs, for somebody else to confirm'
                    using errcode = 'insufficient_privilege';
            end if;
            return new;
        end if;
        if old.way <> 'disc' or old.state <> 'confirming' or new.state not in ('taking', 'refused')
                or (new.state = 'taking' and (new.confirmed_by is distinct from current_setting('cx.person', true)
                    or new.confirmed_by = old.registered_by)) then
            raise exception 'a second person confirms a disc' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger ingestion_delivery_guard before insert or update on ingestion_delivery"
    " for each row execute function ingestion_delivery_guard()",
    # The files of a disc are those that were registered with it: none is put in after the first person has left it.
    """
    create or replace function ingestion_deliveryfile_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if current_user = 'cx_web' and not exists (select 1 from ingestion_delivery d where d.id = new.delivery_id
                and d.state = 'confirming' and d.registered_by = current_setting('cx.person', true)) then
            raise exception 'files are registered with their disc' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger ingestion_deliveryfile_guard before insert on ingestion_deliveryfile"
    " for each row execute function ingestion_deliveryfile_guard()",
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
]
