"""Who may do what with clues; a wall sees type, township and stage only."""

from chuxiong.accounts.rights import OFFICE_IN_SCOPE

_IN_OFFICE = OFFICE_IN_SCOPE.format(column="office")
_PERSON = "(select coalesce(current_setting('cx.person', true), ''))"
_DEPARTMENT = "(select coalesce(current_setting('cx.department', true), ''))"
# The second wall of supervision/access.py: the same policy, row by row. That a clue is not personal implies its third
# part, so for those clues an index that holds the columns of the first two answers without looking at the rows.
VISIBLE = (
    f"{_IN_OFFICE}"
    f" and (closed_to = '' or closed_to = {_DEPARTMENT} or (handler <> '' and handler = {_PERSON}))"
    f" and (not personal or (not ({_PERSON} = any (recused)) and (not sealed or {_PERSON} = any (admitted))))"
)
_OF_CLUE = "exists (select 1 from supervision_clue c where c.id = clue_id)"

TABLES = {
    "supervision_rulestate": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT", "wall": "SELECT"},
    "supervision_hit": {"worker": "SELECT, INSERT, UPDATE, DELETE"},
    "supervision_counter": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT, INSERT, UPDATE"},
    "supervision_clue": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT, INSERT, UPDATE"},
    "supervision_clueevent": {"worker": "SELECT, INSERT", "web": "SELECT, INSERT"},
    "supervision_unmasking": {"web": "SELECT, INSERT"},
    "supervision_interference": {"web": "SELECT, INSERT"},
    "supervision_alarm": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT, UPDATE"},
    "supervision_letter": {"worker": "SELECT", "web": "SELECT, INSERT, UPDATE"},
    "supervision_agencyclient": {"web": "SELECT"},
}
POLICIES = {
    # Runs bring clues in line whoever may see them; people see what access allows, and Postgres holds what they write
    # to the same: an act that would take a clue out of one's own sight is refused, but for recusal (a function).
    "supervision_clue": [
        ("office", ["worker"], "all", _IN_OFFICE, _IN_OFFICE),
        ("visible", ["web"], "all", VISIBLE, _IN_OFFICE),
    ],
    "supervision_alarm": [("office", ["web", "worker"], "all", _IN_OFFICE, _IN_OFFICE)],
    # Written by whoever was spoken to, read by that person and by inspection, changed by nobody.
    "supervision_interference": [
        ("write", ["web"], "insert", "", f"recorded_by = {_PERSON} and {_OF_CLUE}"),
        ("read", ["web"], "select", f"recorded_by = {_PERSON} or {_DEPARTMENT} = 'inspection'", ""),
    ],
    # One counts one's own, on clues one sees.
    "supervision_unmasking": [
        ("own", ["web"], "all", f"person = {_PERSON}", f"person = {_PERSON} and {_OF_CLUE}")
    ],
    "supervision_clueevent": [("of_clue", ["web", "worker"], "all", _OF_CLUE, _OF_CLUE)],
    "supervision_letter": [
        ("of_clue", ["web", "worker"], "all", _OF_CLUE, _OF_CLUE),
        # An agency's machine sees the letters of its own agency, whatever the office.
        (
            "of_agency",
            ["web"],
            "all",
            "agency = (select nullif(current_setting('cx.agency', true), ''))",
            "agency = (select nullif(current_setting('cx.agency', true), ''))",
        ),
    ],
}
STATEMENTS = [
    # Under a policy no index serves a search in text (the operators could leak). The function applies the same
    # policy itself, so it finds what its caller sees and nothing else.
    f"""
    create or replace function supervision_clue_search(wanted text, most integer)
    returns setof bigint language sql stable security definer rows 100 set search_path = pg_catalog, public, pg_temp as $$
        select id from supervision_clue
        where supervision_grams(words, 1) @> supervision_grams(lower(wanted), least(length(wanted), 2))
            and position(lower(wanted) in words) > 0 and {VISIBLE}
        limit most
    $$
    """,
    "revoke all on function supervision_clue_search(text, integer) from public",
    "grant execute on function supervision_clue_search(text, integer) to cx_web",
    # The views run with the owner's rights: the wall role reaches these columns and nothing behind them. A clue open
    # to one department counts, but tells neither what nor where.
    "create or replace view wall_clue as select c.id, c.office, c.state, c.outcome, case when c.closed_to = '' then c.rule else '' end as rule, c.level,"
    " case when c.closed_to = '' then c.township else '' end as township,"
    " c.raised_at, c.checked_at is not null as checked, c.confirmed_at is not null as confirmed,"
    " c.closed_to <> '' as closed"
    " from supervision_clue c where not c.exercise and not c.sealed and c.state not in ('merged', 'withdrawn')",
    "grant select on wall_clue to cx_wall, cx_web",
    # Alarms on a wall: what, where, how loud, since when. No firm, no outfall.
    "create or replace view wall_alarm as select a.id, a.title_zh, a.title_en, a.series, a.office, a.level, a.state,"
    " a.multiple, a.first_at, a.last_at from supervision_alarm a where a.state <> 'withdrawn'",
    "grant select on wall_alarm to cx_wall, cx_web",
    "create or replace view wall_event as select coalesce(max(id), 0) as last from supervision_clueevent",
    "grant select on wall_event to cx_wall, cx_web",
    # Recusal may hide the row from the one who writes it, which an update under the policy refuses. The function
    # only ever takes sight away, and only within the caller's offices.
    """
    create or replace function supervision_recuse(clue bigint, who text)
    returns void language sql security definer set search_path = pg_catalog, public, pg_temp as $$
        update supervision_clue set recused = array_append(recused, who::varchar),
            state = case when handler = who and state = 'checking' then 'dispatched' else state end,
            handler = case when handler = who then '' else handler end, version = version + 1
        where id = clue and not (who = any (recused))
            and office = any (string_to_array(current_setting('cx.offices', true), ','))
    $$
    """,
    "revoke all on function supervision_recuse(bigint, text) from public",
    "grant execute on function supervision_recuse(bigint, text) to cx_web",
    # What the engine found is not the web role's to write: evidence and facts of a clue come from runs alone, a
    # manual clue has none, and the time of an unmasking is the database's.
    """
    create or replace function supervision_clue_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if current_user <> 'cx_web' then
            return new;
        end if;
        if tg_op = 'INSERT' then
            if new.origin = 'model' or new.rule <> '' or new.evidence <> '[]' then
                raise exception 'clues of models are raised by runs' using errcode = 'insufficient_privilege';
            end if;
        elsif (new.origin, new.rule, new.subject_kind, new.subject_ref, new.bucket, new.evidence, new.material, new.conditions)
                is distinct from
              (old.origin, old.rule, old.subject_kind, old.subject_ref, old.bucket, old.evidence, old.material, old.conditions) then
            raise exception 'facts of a clue are written by runs' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger supervision_clue_guard before insert or update on supervision_clue"
    " for each row execute function supervision_clue_guard()",
    """
    create or replace function supervision_unmasking_now() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        new.at := now();
        return new;
    end $$
    """,
    "create or replace trigger supervision_unmasking_now before insert on supervision_unmasking"
    " for each row execute function supervision_unmasking_now()",
    # The sealed numbers behind the evidence of one clue, for whoever sees it and has given the reason today. The web
    # role reaches the vault by this door alone; which numbers belong to the clue is read from its records, not asked.
    f"""
    create or replace function supervision_identifiers(of_clue bigint)
    returns table (ref uuid, kind text, box bytea, key_id text)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    #variable_conflict use_column
    declare
        evidence_of jsonb;
        item jsonb;
        row_values jsonb;
        found uuid[] := '{{}}';
    begin
        select evidence into evidence_of from supervision_clue
        where id = of_clue and {VISIBLE}
            and exists (select 1 from supervision_unmasking u where u.clue_id = of_clue
                and u.person = {_PERSON} and u.at > now() - interval '1 day');
        if evidence_of is null then
            raise exception 'no reason given for this clue' using errcode = 'insufficient_privilege';
        end if;
        for item in select * from jsonb_array_elements(evidence_of) loop
            execute format('select to_jsonb(t) from pool.%I t where t.record_id = $1', item ->> 'feed')
                into row_values using (item ->> 'record_id')::bigint;
            found := found || array(
                select (m.part)[1]::uuid from jsonb_each_text(coalesce(row_values, '{{}}')) v(k, cell),
                    regexp_matches(v.cell, '([0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}})', 'g') m(part));
        end loop;
        return query select i.ref, i.kind::text, i.sealed, i.key_id::text from vault_identifier i
            where i.ref = any (found);
    end $$
    """,
    "revoke all on function supervision_identifiers(bigint) from public",
    "grant execute on function supervision_identifiers(bigint) to cx_web",
    # An agency's answer leaves its trace on the clue without showing the clue to the agency's connection.
    """
    create or replace function supervision_letter_event(letter_id bigint, at_time timestamptz, what text, words text)
    returns text language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    declare
        l record;
    begin
        select x.clue_id, x.agency, x.agency_zh, x.number, c.office, c.state into l
        from supervision_letter x join supervision_clue c on c.id = x.clue_id where x.id = letter_id;
        if l.agency is distinct from current_setting('cx.agency', true) then
            raise exception 'letter of another agency';
        end if;
        insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)
        values (l.clue_id, at_time, l.agency_zh, what, l.state, l.state, words,
                jsonb_build_object('letter', l.number));
        return l.clue_id || ',' || l.office || ',' || l.state;
    end $$
    """,
    "revoke all on function supervision_letter_event(bigint, timestamptz, text, text) from public",
    "grant execute on function supervision_letter_event(bigint, timestamptz, text, text) to cx_web",
]
