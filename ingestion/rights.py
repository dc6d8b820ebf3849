"""Who may do what with the control tables. Pool tables get theirs from ``feed sync``."""

from chuxiong.accounts.rights import FEED_IN_SCOPE, OFFICE_IN_SCOPE
from ingestion import partitions

_AGENCY = "agency = (select nullif(current_setting('cx.agency', true), ''))"
#: a person at the desk of the ways in, or the agency whose delivery it is
_DESK_OF_DELIVERIES = (
    "((select current_setting('cx.purpose', true)) = 'exchange'"
    " and (select coalesce(current_setting('cx.person', true), '')) <> '')"
)
_OF_DELIVERY = "exists (select 1 from ingestion_delivery d where d.id = delivery_id)"
_OF_BATCH = "exists (select 1 from ingestion_batch b where b.id = batch_id)"
#: everything of a file but the key that it is sealed under
_FILE_COLUMNS = "SELECT (id, delivery_id, place, feed, name, size, digest, covers_until, snapshot, store, batch_id, repeated, problem)"
_OF_TICKET = "exists (select 1 from ingestion_dataticket t where t.id = ticket_id)"
_PERSON = "(select coalesce(current_setting('cx.person', true), ''))"
_IMPORT_IN_SCOPE = OFFICE_IN_SCOPE.format(column="office")
# A batch is its importer's office's; one that came by another way is the prefecture's.
_BATCH_IN_REACH = (
    "(exists (select 1 from ingestion_manualimport m where m.batch_id = {batch} and "
    + OFFICE_IN_SCOPE.format(column="m.office")
    + ") or (not exists (select 1 from ingestion_manualimport m where m.batch_id = {batch})"
    " and exists (select 1 from accounts_office o where o.parent_id is null and "
    + OFFICE_IN_SCOPE.format(column="o.code")
    + ")))"
)
_COUNTY_IN_SCOPE = OFFICE_IN_SCOPE.format(column="county")
_OWN = "person = (select coalesce(current_setting('cx.person', true), ''))"

TABLES = {
    "ingestion_agreement": {"intake": "SELECT", "worker": "SELECT", "web": "SELECT, INSERT, UPDATE"},
    "ingestion_agreementevent": {
        "intake": "SELECT, INSERT",
        "worker": "SELECT, INSERT",
        "web": "SELECT, INSERT",
    },
    "ingestion_agreementclearing": {
        "intake": "SELECT, UPDATE",
        "worker": "SELECT",
        "web": "SELECT, INSERT, UPDATE",
    },
    "ingestion_clearinghold": {"intake": "SELECT, DELETE", "worker": "SELECT, INSERT, DELETE"},
    "ingestion_batchmeasure": {"intake": "SELECT, INSERT, DELETE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_dataticket": {
        "intake": "SELECT, INSERT, UPDATE",
        "worker": "SELECT, UPDATE",
        "web": "SELECT, INSERT, UPDATE",
    },
    "ingestion_ticketevent": {
        "intake": "SELECT, INSERT",
        "worker": "SELECT, INSERT",
        "web": "SELECT, INSERT",
    },
    "ingestion_batch": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_landing": {"intake": "SELECT, INSERT", "worker": "SELECT", "web": "SELECT"},
    "ingestion_confirmed": {"intake": "SELECT, INSERT, DELETE"},
    "ingestion_feedstanding": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_touch": {"intake": "SELECT, INSERT", "worker": "SELECT, INSERT"},
    "ingestion_mirrormark": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT"},
    "ingestion_quarantine": {"intake": "SELECT, INSERT, DELETE", "web": "SELECT"},
    "ingestion_telemetrydevice": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_telemetrylimit": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_telemetrysource": {"intake": "SELECT, INSERT, UPDATE", "web": "SELECT"},
    "ingestion_telemetrycontact": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_telemetryframes": {"intake": "SELECT, INSERT, DELETE"},
    "ingestion_river": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_riverplace": {"intake": "SELECT, INSERT, UPDATE, DELETE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_camera": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    # Who looked, and since when, is written once; a viewing goes on and ends.
    "ingestion_cameraviewing": {"web": 'SELECT, INSERT, UPDATE (opened_at, last_at, ended_at, "end")'},
    "ingestion_cameraframe": {
        "intake": "SELECT (id, camera_id, cleared_at), UPDATE (key, sealed, segment_sealed, cleared_at)",
        "worker": "SELECT (id, camera_id, number)",
        "web": "SELECT, INSERT",
    },
    "ingestion_feedissue": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT, UPDATE"},
    "ingestion_agencykey": {"intake": "SELECT", "worker": "SELECT", "web": "SELECT"},
    "ingestion_carried": {"web": "SELECT, INSERT"},
    # A disc is registered and confirmed at the desk; everything else of a delivery is intake's.
    "ingestion_delivery": {
        "intake": "SELECT, INSERT, UPDATE",
        "worker": "SELECT",
        "web": "SELECT, INSERT, UPDATE (state, confirmed_by, confirmed_at, problem, ended_at)",
    },
    "ingestion_deliveryfile": {
        "intake": "SELECT, INSERT, UPDATE",
        "worker": _FILE_COLUMNS,
        "web": f"{_FILE_COLUMNS}, INSERT",
    },
    "ingestion_sourcemark": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    # A page uploads, chooses and cancels; what becomes of a file is written by intake.
    "ingestion_manualimport": {
        "web": "SELECT, INSERT, UPDATE (feed, state, revision, progress, choices, problem, covers_until, snapshot,"
        " started_at, ended_at)",
        "intake": "SELECT, UPDATE",
        "worker": "SELECT",
    },
    "ingestion_importfile": {"web": "SELECT, INSERT", "intake": "SELECT, UPDATE, DELETE"},
    "ingestion_headeralias": {
        "web": "SELECT, INSERT, UPDATE (withdrawn_by, withdrawn_at)",
        "intake": "SELECT, UPDATE (uses)",
        "worker": "SELECT",
    },
    "ingestion_errorreceipt": {"web": "SELECT, INSERT", "worker": "SELECT"},
}
POLICIES = {
    # Deliveries by feed; besides, the one that a ticket in the agency's reach is about.
    "ingestion_batch": [
        ("machine", ["intake", "worker"], "all", "true", "true"),
        ("of_feed", ["web"], "select", FEED_IN_SCOPE.format(feed="feed"), ""),
        (
            "of_ticket",
            ["web"],
            "select",
            "(select coalesce(current_setting('cx.agency', true), '')) <> ''"
            " and exists (select 1 from ingestion_dataticket t where t.batch_id = ingestion_batch.id)",
            "",
        ),
    ],
    "ingestion_quarantine": [
        ("machine", ["intake"], "all", "true", "true"),
        ("of_batch", ["web"], "select", _OF_BATCH, ""),
    ],
    "ingestion_delivery": [
        ("machine", ["intake", "worker"], "all", "true", "true"),
        ("desk", ["web"], "all", f"{_DESK_OF_DELIVERIES} or {_AGENCY}", _DESK_OF_DELIVERIES),
    ],
    "ingestion_deliveryfile": [
        ("machine", ["intake", "worker"], "all", "true", "true"),
        ("of_delivery", ["web"], "all", _OF_DELIVERY, _OF_DELIVERY),
    ],
    "ingestion_manualimport": [
        ("office", ["web"], "all", _IMPORT_IN_SCOPE, _IMPORT_IN_SCOPE),
        ("intake", ["intake", "worker"], "all", "true", "true"),
    ],
    # What an uploaded file says is its uploader's until it has become a batch.
    "ingestion_importfile": [
        ("own", ["web"], "all", f"person = {_PERSON}", f"person = {_PERSON}"),
        ("intake", ["intake"], "all", "true", "true"),
    ],
    "ingestion_errorreceipt": [
        ("read", ["web", "worker"], "select", "true", ""),
        ("write", ["web"], "insert", "", f"person = {_PERSON} and ingestion_batch_in_reach(batch_id)"),
    ],
    # Our own people reach tickets by feed, a provider's people and machines those of their own agency alone.
    "ingestion_dataticket": [
        ("machine", ["intake", "worker"], "all", "true", "true"),
        ("of_feed", ["web"], "all", FEED_IN_SCOPE.format(feed="feed"), FEED_IN_SCOPE.format(feed="feed")),
        ("of_agency", ["web"], "all", _AGENCY, _AGENCY),
    ],
    "ingestion_ticketevent": [
        ("machine", ["intake", "worker"], "all", "true", "true"),
        ("of_ticket", ["web"], "all", _OF_TICKET, _OF_TICKET),
    ],
    "ingestion_camera": [
        ("register", ["intake"], "all", "true", "true"),
        ("machine", ["worker"], "select", "true", ""),
        ("office", ["web"], "select", _COUNTY_IN_SCOPE, ""),
    ],
    # Seen within the office, written and ended by whoever looks.
    "ingestion_cameraviewing": [
        ("office", ["web"], "select", _COUNTY_IN_SCOPE, ""),
        ("begin", ["web"], "insert", "", f"{_OWN} and {_COUNTY_IN_SCOPE}"),
        ("end", ["web"], "update", f"{_OWN} and {_COUNTY_IN_SCOPE}", f"{_OWN} and {_COUNTY_IN_SCOPE}"),
    ],
    "ingestion_cameraframe": [
        ("office", ["web"], "select", _COUNTY_IN_SCOPE, ""),
        ("keep", ["web"], "insert", "", f"{_OWN} and {_COUNTY_IN_SCOPE}"),
        ("machine", ["worker"], "select", "true", ""),
        # Pictures go only with the agreement of their camera.
        (
            "clear",
            ["intake"],
            "all",
            "true",
            "exists (select 1 from ingestion_camera m join ingestion_agreement a on a.number = m.agreement"
            " join ingestion_agreementclearing g on g.agreement_id = a.id"
            " where m.id = camera_id and g.state = 'clearing')",
        ),
    ],
}
STATEMENTS = [
    # A page queues what its acts ask for, nothing else, and a decision only in the person's own name.
    """
    create or replace function ingestion_job_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if current_user <> 'cx_web' then
            return new;
        end if;
        if new.kind not in ('backtest', 'clearing', 'exchange', 'held_batch', 'identity', 'import_check', 'import_clear',
                'import_expire', 'import_hand_over', 'published', 'release', 'take_in', 'trial') then
            raise exception 'pages do not queue %', new.kind using errcode = 'insufficient_privilege';
        end if;
        if new.kind = 'held_batch'
                and new.payload ->> 'by' is distinct from nullif(current_setting('cx.person', true), '') then
            raise exception 'a decision is queued in one''s own name' using errcode = 'insufficient_privilege';
        end if;
        if new.kind = 'held_batch' and not ingestion_batch_in_reach((new.payload ->> 'batch')::bigint) then
            raise exception 'the batch is out of reach' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger ingestion_job_guard before insert on work_job"
    " for each row execute function ingestion_job_guard()",
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
    # What was sent back is opened by nobody any more: its keys go with the decision, whoever takes it.
    """
    create or replace function ingestion_delivery_refused() returns trigger language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        update ingestion_deliveryfile set store = '', sealed_key = '' where delivery_id = new.id;
        return null;
    end $$
    """,
    "revoke all on function ingestion_delivery_refused() from public",
    "create or replace trigger ingestion_delivery_refused after update of state on ingestion_delivery for each row"
    " when (new.state = 'refused' and old.state <> 'refused') execute function ingestion_delivery_refused()",
    "create schema if not exists pool",
    "create schema if not exists staging",
    "grant usage on schema pool to cx_intake, cx_worker, cx_web",
    "grant usage, create on schema staging to cx_intake",
    *partitions.RIGHTS,
    # Rewritten every second: room on the page keeps the new version beside the old one.
    "alter table ingestion_telemetrycontact set (fillfactor = 50)",
    # How far each feed has come, kept with every landing whoever writes it, so that nobody adds landings up.
    """
    create or replace function ingestion_feed_landed() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        insert into ingestion_feedstanding as s (feed, landed_at, covers_until, landings, quarantined, recent)
            values (new.feed, new.landed_at, new.covers_until, 1, 0, '[]')
            on conflict (feed) do update set landings = s.landings + 1,
                landed_at = greatest(s.landed_at, excluded.landed_at),
                covers_until = greatest(s.covers_until, excluded.covers_until);
        return null;
    end $$
    """,
    "create or replace trigger ingestion_feed_landed after insert on ingestion_landing for each row"
    " when (new.feed <> '') execute function ingestion_feed_landed()",
    """
    create or replace function ingestion_feed_covers() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        update ingestion_feedstanding s set covers_until =
            (select max(l.covers_until) from ingestion_landing l where l.feed = s.feed)
            where s.feed in (select feed from changed);
        return null;
    end $$
    """,
    "create or replace trigger ingestion_feed_covers after update on ingestion_landing"
    " referencing new table as changed for each statement execute function ingestion_feed_covers()",
    """
    create or replace function ingestion_feed_counted() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        update ingestion_feedstanding s set quarantined = new.quarantined, recent =
            (select jsonb_agg(r.rows order by r.place) from
                jsonb_array_elements(jsonb_build_array(new.received) || s.recent) with ordinality r(rows, place)
                where r.place <= 12)
            where s.feed = new.feed;
        return null;
    end $$
    """,
    "create or replace trigger ingestion_feed_counted after update of state on ingestion_batch for each row"
    " when (new.state = 'landed' and old.state <> 'landed') execute function ingestion_feed_counted()",
    "alter table ingestion_feedstanding set (fillfactor = 50)",
    # The wall needs the age of every feed, nothing else of intake.
    "create or replace view wall_feed as select feed, landed_at, covers_until, landings from ingestion_feedstanding",
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
    # A clearing takes the claim of coverage away with the records.
    "grant update (covers_until) on ingestion_landing to cx_intake",
    # The terms of an agreement are what was signed: a page may end it, bring that end forward and name custodians, nothing else.
    """
    create or replace function ingestion_agreement_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if current_user <> 'cx_web' then
            return new;
        end if;
        if to_jsonb(new) - array['ended_on', 'custodian', 'agency_custodian']
                is distinct from to_jsonb(old) - array['ended_on', 'custodian', 'agency_custodian'] then
            raise exception 'the terms of an agreement do not change' using errcode = 'insufficient_privilege';
        end if;
        if old.ended_on is not null and (new.ended_on is null or new.ended_on > old.ended_on) then
            raise exception 'the end of an agreement is only brought forward' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger ingestion_agreement_guard before update on ingestion_agreement"
    " for each row execute function ingestion_agreement_guard()",
    # One person asks, another decides, each in their own name; only machines count and clear, in that order.
    """
    create or replace function ingestion_clearing_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    declare
        who text := coalesce(current_setting('cx.person', true), '');
    begin
        if current_user = 'cx_web' then
            if tg_op = 'INSERT' then
                if who = '' or new.requested_by <> who or new.state <> 'requested' or new.decided_by <> '' then
                    raise exception 'a clearing is asked for in one''s own name' using errcode = 'insufficient_privilege';
                end if;
                return new;
            end if;
            if old.state <> 'counted' or new.state not in ('approved', 'declined') or who = ''
                    or new.decided_by <> who or who = old.requested_by
                    or (new.agreement_id, new.requested_by, new.preview, new.result, new.receipt)
                        is distinct from (old.agreement_id, old.requested_by, old.preview, old.result, old.receipt) then
                raise exception 'somebody else decides on what was counted' using errcode = 'insufficient_privilege';
            end if;
        elsif current_user = 'cx_intake' then
            if (old.state, new.state) not in (('requested', 'counted'), ('approved', 'clearing'),
                    ('clearing', 'clearing'), ('clearing', 'done'))
                    or (new.agreement_id, new.requested_by, new.decided_by)
                        is distinct from (old.agreement_id, old.requested_by, old.decided_by) then
                raise exception 'nothing is cleared that two people have not decided' using errcode = 'insufficient_privilege';
            end if;
        end if;
        return new;
    end $$
    """,
    "create or replace trigger ingestion_clearing_guard before insert or update on ingestion_agreementclearing"
    " for each row execute function ingestion_clearing_guard()",
    # The vault forgets an identifier only while something is being cleared.
    """
    create or replace function ingestion_forget_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if current_user = 'cx_intake' and not exists
                (select 1 from ingestion_agreementclearing where state = 'clearing') then
            raise exception 'nothing is being cleared' using errcode = 'insufficient_privilege';
        end if;
        return null;
    end $$
    """,
    "create or replace trigger ingestion_forget_guard before delete on vault_identifier"
    " for each statement execute function ingestion_forget_guard()",
    # Whether an import's office, seen past the policy of its table, lies in the caller's reach.
    f"""
    create or replace function ingestion_batch_in_reach(of_batch bigint)
    returns boolean language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select {_BATCH_IN_REACH.format(batch="of_batch")}
    $$
    """,
    "revoke all on function ingestion_batch_in_reach(bigint) from public",
    "grant execute on function ingestion_batch_in_reach(bigint) to cx_web",
    # When a quarantined row was taken out is the database's to say.
    """
    create or replace function ingestion_errorreceipt_now() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        new.at := now();
        return new;
    end $$
    """,
    "create or replace trigger ingestion_errorreceipt_now before insert on ingestion_errorreceipt"
    " for each row execute function ingestion_errorreceipt_now()",
    # The key of one batch, for whoever has written down in this very transaction that its quarantined rows are taken
    # out. The web role reaches the keys of batches by this door alone.
    f"""
    create or replace function ingestion_quarantine_key(of_batch bigint)
    returns table (sealed bytea, key_id text)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    #variable_conflict use_column
    begin
        if not exists (select 1 from ingestion_errorreceipt e
                where e.batch_id = of_batch and e.person = {_PERSON} and e.at = now()) then
            raise exception 'no receipt written for this batch' using errcode = 'insufficient_privilege';
        end if;
        return query select k.sealed, k.key_id::text from vault_batchkey k where k.batch = of_batch;
    end $$
    """,
    "revoke all on function ingestion_quarantine_key(bigint) from public",
    "grant execute on function ingestion_quarantine_key(bigint) to cx_web",
    # Calls off the batch of a manual import before it lands: whoever reads it meets a newer fence and stops. Answers
    # with the state that it was in.
    f"""
    create or replace function ingestion_call_off(of_batch bigint, words jsonb)
    returns text language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    declare
        was text;
    begin
        select b.state into was from ingestion_batch b where b.id = of_batch
            and exists (select 1 from ingestion_manualimport m where m.batch_id = b.id and {_IMPORT_IN_SCOPE})
            for update;
        if was in ('received', 'reading', 'held') then
            update ingestion_batch set state = 'refused', fence = fence + 1, problem = words where id = of_batch;
        end if;
        return was;
    end $$
    """,
    "revoke all on function ingestion_call_off(bigint, jsonb) from public",
    "grant execute on function ingestion_call_off(bigint, jsonb) to cx_web",
    # Held batches are decided by intake alone, on a decision that a person has queued.
    "drop function if exists ingestion_release(bigint)",
]
