"""Who may do what with clues; a wall sees type, township and stage only."""

from chuxiong.accounts.rights import FEED_IN_SCOPE, OFFICE_IN_SCOPE
from ingestion.catalog.seals import CASE_QUERY, KINDS
from supervision import derived, tally
from supervision.drafts import rights as draft_rights
from supervision.naming import rights as naming_rights
from supervision.profiles import rights as profile_rights
from supervision.ranking import lines
from supervision.reference import REFERENCE
from supervision.spine import rights as spine_rights

_IN_OFFICE = OFFICE_IN_SCOPE.format(column="office")
_PERSON = "(select coalesce(current_setting('cx.person', true), ''))"
_DEPARTMENT = "(select coalesce(current_setting('cx.department', true), ''))"
# A seal that came with the material is open to those who answer for sealed material in the department.
_IN_CHARGE = (
    "seals <> '{}' and (select current_setting('cx.sealed', true)) = 'on'"
    f" and (closed_to = '' or closed_to = {_DEPARTMENT})"
)
# The second wall of supervision/access.py: the same policy, row by row. That a clue is not personal implies its third
# part, so for those clues an index that holds the columns of the first two answers without looking at the rows.
_OF_DEPARTMENT = (
    f"{_IN_OFFICE}"
    f" and (closed_to = '' or closed_to = {_DEPARTMENT} or (handler <> '' and handler = {_PERSON}))"
)
VISIBLE = (
    f"{_OF_DEPARTMENT}"
    f" and (not personal or (not ({_PERSON} = any (recused)) and (not sealed or {_PERSON} = any (admitted)"
    f" or ({_IN_CHARGE}))))"
)
#: kind of seal → the department it closes a clue to
_ROOMS = ", ".join(f"('{code}', '{kind.department}')" for code, kind in KINDS.items())
#: those of them that the department alone opens, without a case query
_OPEN_ROOMS = ", ".join(
    f"('{code}', '{kind.department}')" for code, kind in KINDS.items() if kind.purpose != CASE_QUERY
)
_LED = OFFICE_IN_SCOPE.format(column="lead_office")
_OF_CLUE = "exists (select 1 from supervision_clue c where c.id = clue_id)"

_OF_LETTER = "exists (select 1 from supervision_letter l where l.id = letter_id)"

_OF_DOCUMENT = "exists (select 1 from supervision_document d where d.id = document_id)"

_FEED = FEED_IN_SCOPE.format(feed="feed")
_COUNTY = OFFICE_IN_SCOPE.format(column="county")
_OFFICES = "string_to_array((select current_setting('cx.offices', true)), ',')"
_PAIR = (
    "feeds <@ string_to_array((select current_setting('cx.feeds', true)), ',')::varchar[]"
    f" and (counties = '{{}}' or counties && {_OFFICES}::varchar[])"
)

#: one gives one's word on a pair that one sees
_SEEN_PAIR = (
    'exists (select 1 from supervision_identitypair p where p."left" = supervision_identityjudgement."left"'
    ' and p."right" = supervision_identityjudgement."right")'
)

TABLES = {
    "supervision_rulestate": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT", "wall": "SELECT"},
    # A page asks for a back-test and asks a run to stop; everything else about it the worker writes.
    "supervision_run": {
        "worker": "SELECT, INSERT, UPDATE, DELETE",
        "web": "SELECT, INSERT, UPDATE (cancel_by, cancel_at)",
    },
    "supervision_hit": {"worker": "SELECT, INSERT, UPDATE, DELETE"},
    "supervision_counter": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT, INSERT, UPDATE"},
    "supervision_clue": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT, INSERT, UPDATE"},
    # Written by the triggers on clues alone.
    "supervision_tally": {"web": "SELECT"},
    # Its copies are written by the triggers on clues, its places by the job.
    "supervision_cluerank": {"worker": "SELECT, UPDATE", "web": "SELECT"},
    "supervision_rankcell": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT"},
    "supervision_calibration": {"worker": "SELECT, INSERT", "web": "SELECT"},
    "supervision_clueevent": {"worker": "SELECT, INSERT", "web": "SELECT, INSERT"},
    "supervision_unmasking": {"web": "SELECT, INSERT"},
    "supervision_disclosure": {"web": "SELECT, INSERT, UPDATE"},
    "supervision_disclosureclue": {"web": "SELECT, INSERT"},
    "supervision_inquiry": {"web": "SELECT, INSERT"},
    "supervision_interference": {"web": "SELECT, INSERT"},
    "supervision_alarm": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT, UPDATE"},
    # A step is never changed but struck; a clock follows its steps.
    "supervision_checklist": {"web": "SELECT, INSERT"},
    "supervision_checklistrow": {"web": "SELECT, INSERT, UPDATE"},
    "supervision_checklistreturn": {"web": "SELECT, INSERT, UPDATE"},
    # A draft stands as made; its number and its end are entered once (trigger).
    "supervision_document": {"web": "SELECT, INSERT, UPDATE"},
    "supervision_ledgerchoice": {"web": "SELECT, INSERT, UPDATE"},
    "supervision_savedview": {"web": "SELECT, INSERT, UPDATE, DELETE"},
    "supervision_cluetrack": {"worker": "SELECT", "web": "SELECT, INSERT, UPDATE"},
    "supervision_trackstep": {"worker": "SELECT", "web": "SELECT, INSERT, UPDATE"},
    "supervision_trackclock": {"worker": "SELECT, UPDATE", "web": "SELECT, INSERT, UPDATE"},
    "supervision_letter": {"worker": "SELECT", "web": "SELECT, INSERT, UPDATE"},
    "supervision_order": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT, INSERT, UPDATE"},
    "supervision_ordercall": {"web": "SELECT, INSERT"},
    "supervision_matter": {"web": "SELECT, INSERT, UPDATE"},
    "supervision_letterfile": {"web": "SELECT, INSERT"},
    "supervision_letteranswer": {"web": "SELECT, INSERT"},
    "supervision_letterextension": {"web": "SELECT, INSERT"},
    "supervision_documentfinal": {"web": "SELECT, INSERT"},
    "supervision_agencyclient": {"worker": "SELECT", "web": "SELECT"},
    "supervision_agencycertificate": {"web": "SELECT"},
    # Clients subscribe through the carrier, which acts within the web role; the calls are the worker's. A person has a dead
    # one sent anew. They hold numbers and states alone.
    "supervision_webhook": {
        "worker": "SELECT, UPDATE (seen_to, problem, last_success_at)",
        "web": "SELECT, INSERT, UPDATE",
    },
    "supervision_webhookcall": {
        "worker": "SELECT, INSERT, UPDATE",
        "web": "SELECT, UPDATE (state, attempts, due_at, resent_by, resent_at)",
    },
    # The spine is the worker's; people give their word and look at pairs.
    "supervision_appearance": {"worker": "SELECT, INSERT, DELETE"},
    "supervision_mention": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT", "intake": "SELECT"},
    "supervision_subject": {"worker": "SELECT, INSERT, UPDATE", "web": "SELECT"},
    "supervision_subjectevent": {"worker": "SELECT, INSERT", "web": "SELECT"},
    "supervision_identitypair": {"worker": "SELECT, INSERT, DELETE", "web": "SELECT"},
    "supervision_identitystate": {"worker": "SELECT, INSERT, UPDATE"},
    "supervision_identityjudgement": {
        "worker": "SELECT",
        "web": "SELECT, INSERT, UPDATE (withdrawn_by, withdrawn_at, withdrawn_reason)",
    },
    # Names are searched through a function alone.
    "supervision_naming": {"worker": "SELECT, INSERT, DELETE"},
    "supervision_derivation": {"worker": "SELECT, INSERT, UPDATE, DELETE"},
    "supervision_relation": {"worker": "SELECT, INSERT, UPDATE, DELETE", "web": "SELECT", "intake": "SELECT"},
    # Recorded once, in one's own name; never changed.
    "supervision_poolquery": {"web": "SELECT, INSERT"},
    # Packs stand as they came and went; whose signature counts, the owner alone registers.
    "supervision_modelpack": {"web": "SELECT, INSERT"},
    "supervision_publisherkey": {"worker": "SELECT", "web": "SELECT"},
    **draft_rights.TABLES,
}
POLICIES = {
    # Runs bring clues in line whoever may see them; people see what access allows, and Postgres holds what they write
    # to the same: an act that would take a clue out of one's own sight is refused, but for recusal (a function).
    "supervision_clue": [
        ("office", ["worker"], "all", _IN_OFFICE, _IN_OFFICE),
        ("visible", ["web"], "all", VISIBLE, _IN_OFFICE),
    ],
    "supervision_run": [
        ("run", ["worker"], "all", "true", "true"),
        ("read", ["web"], "select", "true", ""),
        ("ask", ["web"], "insert", "", "state = 'waiting' and mode = 'backtest' and report = '{}'"),
        ("stop", ["web"], "update", "true", "true"),
    ],
    # As the record that mentions: by feed and county.
    "supervision_mention": [
        ("run", ["worker"], "all", "true", "true"),
        ("mirror", ["intake"], "select", "true", ""),
        ("scope", ["web"], "select", f"{_FEED} and (county is null or {_COUNTY})", ""),
    ],
    # Seen by those who see a record of the pair that has no number.
    "supervision_identitypair": [
        ("run", ["worker"], "all", "true", "true"),
        ("scope", ["web"], "select", _PAIR, ""),
    ],
    "supervision_identityjudgement": [
        ("run", ["worker"], "select", "true", ""),
        ("see", ["web"], "select", _IN_OFFICE, ""),
        (
            "judge",
            ["web"],
            "insert",
            "",
            f"person = {_PERSON} and {_IN_OFFICE} and withdrawn_at is null and {_SEEN_PAIR}",
        ),
        ("withdraw", ["web"], "update", _IN_OFFICE, f"withdrawn_by = {_PERSON} and withdrawn_at is not null"),
    ],
    # It tells of no clue that the two parts do not decide.
    "supervision_tally": [("visible", ["web"], "select", _OF_DEPARTMENT, "")],
    # As the record that tells it: by feed and county.
    "supervision_relation": [
        ("derive", ["worker"], "all", "true", "true"),
        ("mirror", ["intake"], "select", "true", ""),
        ("scope", ["web"], "select", f"{_FEED} and (county is null or {_COUNTY})", ""),
    ],
    # As on the clues; of those that name people the clue itself is asked.
    "supervision_cluerank": [
        ("office", ["worker"], "all", _IN_OFFICE, _IN_OFFICE),
        (
            "visible",
            ["web"],
            "select",
            f"{_OF_DEPARTMENT} and (not personal or exists (select 1 from supervision_clue c where c.id = clue_id))",
            "",
        ),
    ],
    "supervision_alarm": [("office", ["web", "worker"], "all", _IN_OFFICE, _IN_OFFICE)],
    "supervision_inquiry": [("of_clue", ["web"], "all", _OF_CLUE, _OF_CLUE)],
    # Written by whoever was spoken to, read by that person and by inspection, changed by nobody.
    "supervision_interference": [
        ("write", ["web"], "insert", "", f"recorded_by = {_PERSON} and {_OF_CLUE}"),
        ("read", ["web"], "select", f"recorded_by = {_PERSON} or {_DEPARTMENT} = 'inspection'", ""),
    ],
    # Rules and counts, nothing of anybody; entered in one's own name.
    "supervision_modelpack": [
        ("see", ["web"], "select", "true", ""),
        ("enter", ["web"], "insert", "", f"by = {_PERSON}"),
    ],
    # Asked for in one's own name; seen by who asked and within the office. What may become of it, the trigger says.
    "supervision_disclosure": [
        ("ask", ["web"], "insert", "", f"asked_by = {_PERSON} and state = 'asked' and {_IN_OFFICE}"),
        ("see", ["web"], "select", f"asked_by = {_PERSON} or {_IN_OFFICE}", ""),
        ("decide", ["web"], "update", f"asked_by = {_PERSON} or {_IN_OFFICE}", _IN_OFFICE),
    ],
    "supervision_disclosureclue": [
        ("see", ["web"], "select", _OF_CLUE, ""),
        (
            "ask",
            ["web"],
            "insert",
            "",
            f"{_OF_CLUE} and exists (select 1 from supervision_disclosure d"
            f" where d.id = disclosure_id and d.asked_by = {_PERSON} and d.state = 'asked')",
        ),
    ],
    # One counts one's own, on clues one sees.
    "supervision_unmasking": [
        ("own", ["web"], "all", f"person = {_PERSON}", f"person = {_PERSON} and {_OF_CLUE}")
    ],
    "supervision_clueevent": [("of_clue", ["web", "worker"], "all", _OF_CLUE, _OF_CLUE)],
    # A list is its office's; of its rows one sees those whose clues one sees.
    "supervision_checklist": [("office", ["web"], "all", _IN_OFFICE, _IN_OFFICE)],
    "supervision_checklistrow": [("of_clue", ["web"], "all", _OF_CLUE, _OF_CLUE)],
    "supervision_checklistreturn": [("own", ["web"], "all", f"by = {_PERSON}", f"by = {_PERSON}")],
    # Made in one's own name.
    "supervision_document": [
        ("make", ["web"], "insert", "", f"{_OF_CLUE} and made_by = {_PERSON}"),
        ("see", ["web"], "select", _OF_CLUE, ""),
        ("move", ["web"], "update", _OF_CLUE, _OF_CLUE),
    ],
    "supervision_savedview": [("own", ["web"], "all", f"person = {_PERSON}", f"person = {_PERSON}")],
    "supervision_poolquery": [
        (
            "own",
            ["web"],
            "all",
            f"person = {_PERSON}",
            f"person = {_PERSON} and {_IN_OFFICE} and (clue_id is null or {_OF_CLUE})",
        )
    ],
    "supervision_ledgerchoice": [("own", ["web"], "all", f"person = {_PERSON}", f"person = {_PERSON}")],
    "supervision_cluetrack": [("of_clue", ["web", "worker"], "all", _OF_CLUE, _OF_CLUE)],
    "supervision_trackstep": [("of_clue", ["web", "worker"], "all", _OF_CLUE, _OF_CLUE)],
    "supervision_trackclock": [("of_clue", ["web", "worker"], "all", _OF_CLUE, _OF_CLUE)],
    "supervision_order": [("of_clue", ["web", "worker"], "all", _OF_CLUE, _OF_CLUE)],
    "supervision_ordercall": [("of_clue", ["web"], "all", _OF_CLUE, _OF_CLUE)],
    # Led by an office within reach, or some part of it is in sight.
    "supervision_matter": [
        ("lead", ["web"], "all", _LED, _LED),
        (
            "part",
            ["web"],
            "select",
            "exists (select 1 from supervision_clue c where c.matter_id = supervision_matter.id)",
            "",
        ),
    ],
    # As their letter: those who see the clue, and the letter's own agency.
    "supervision_letterfile": [("of_letter", ["web"], "all", _OF_LETTER, _OF_LETTER)],
    "supervision_letteranswer": [("of_letter", ["web"], "all", _OF_LETTER, _OF_LETTER)],
    # Its agency reads what was decided; those who see the clue decide, in their own name.
    "supervision_letterextension": [
        ("see", ["web"], "select", _OF_LETTER, ""),
        ("decide", ["web"], "insert", "", f"{_OF_LETTER} and by = {_PERSON}"),
    ],
    "supervision_documentfinal": [
        ("see", ["web"], "select", _OF_DOCUMENT, ""),
        ("put", ["web"], "insert", "", f"{_OF_DOCUMENT} and by = {_PERSON}"),
    ],
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
    **draft_rights.POLICIES,
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
    " c.closed_to <> '' as closed, c.origin"
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
        elsif (new.origin, new.rule, new.subject_kind, new.subject_ref, new.bucket, new.members, new.evidence, new.material, new.conditions)
                is distinct from
              (old.origin, old.rule, old.subject_kind, old.subject_ref, old.bucket, old.members, old.evidence, old.material, old.conditions) then
            raise exception 'facts of a clue are written by runs' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger supervision_clue_guard before insert or update on supervision_clue"
    " for each row execute function supervision_clue_guard()",
    # A clue that rests on sealed rows inherits their seal and their department, whatever code writes it. What two
    # people decided later stands until material under another seal joins.
    "alter table supervision_clue alter column seals set default '{}'",
    f"""
    create or replace function supervision_clue_seal() returns trigger language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
    declare
        found varchar[] := pool_seals(new.evidence);
        room text;
    begin
        if not (found <@ coalesce(old.seals, '{{}}')) then
            new.sealed := true;
            select max(r.department) into room from (values {_ROOMS}) r(kind, department)
                where r.kind = any (found) and r.department <> '';
            if room is not null and new.closed_to in ('', room) then
                new.closed_to := room;
                if exists (select 1 from accounts_department d where d.office_id = new.office and d.code = room) then
                    new.department := room;
                end if;
            end if;
        end if;
        new.seals := found;
        return new;
    end $$
    """,
    "create or replace trigger supervision_clue_seal before insert or update of evidence, seals on supervision_clue"
    " for each row execute function supervision_clue_seal()",
    """
    create or replace function supervision_unmasking_now() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        new.at := now();
        return new;
    end $$
    """,
    # What was entered of a step stands; it may only be struck, once.
    """
    create or replace function supervision_step_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if (new.track_id, new.clue_id, new.step, new.happened_on, new.official_number, new.approver, new.reason, new.note,
                new.entered_by, new.entered_at)
                is distinct from
              (old.track_id, old.clue_id, old.step, old.happened_on, old.official_number, old.approver, old.reason, old.note,
                old.entered_by, old.entered_at)
                or old.struck_at is not null then
            raise exception 'a step is struck, never changed' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    # What was ordered stands; receipt, urging and end are added.
    """
    create or replace function supervision_order_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if (new.number, new.clue_id, new.office, new.department, new.issued_by, new.issued_by_name, new.issued_at,
                new.direct, new.competent, new.designated, new.demand, new.due_on, new.receipt_due)
                is distinct from
              (old.number, old.clue_id, old.office, old.department, old.issued_by, old.issued_by_name, old.issued_at,
                old.direct, old.competent, old.designated, old.demand, old.due_on, old.receipt_due)
                or old.ended_at is not null then
            raise exception 'what was ordered stands' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger supervision_order_guard before update on supervision_order"
    " for each row execute function supervision_order_guard()",
    # draft → issued → void, or draft → void: what was drafted, and what was entered of it, stands.
    """
    create or replace function supervision_document_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if (new.clue_id, new.kind, new.kind_version, new.version, new.check_only, new.sealed, new.key_id, new.digest,
                new.holds_refs, new.typed, new.blanks, new.made_by, new.made_by_name, new.made_at)
                is distinct from
              (old.clue_id, old.kind, old.kind_version, old.version, old.check_only, old.sealed, old.key_id, old.digest,
                old.holds_refs, old.typed, old.blanks, old.made_by, old.made_by_name, old.made_at) then
            raise exception 'a draft stands as made: draft another version' using errcode = 'insufficient_privilege';
        end if;
        if not (old.state = 'draft' and new.state in ('issued', 'void') or old.state = 'issued' and new.state = 'void') then
            raise exception 'not the next step of a document' using errcode = 'insufficient_privilege';
        end if;
        if old.state = 'issued' and
              (new.official_number, new.case_number, new.approver, new.dated_on, new.numbered_by, new.numbered_at)
                is distinct from
              (old.official_number, old.case_number, old.approver, old.dated_on, old.numbered_by, old.numbered_at) then
            raise exception 'the number of a document stands' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger supervision_document_guard before update on supervision_document"
    " for each row execute function supervision_document_guard()",
    "create or replace trigger supervision_step_guard before update on supervision_trackstep"
    " for each row execute function supervision_step_guard()",
    "create or replace trigger supervision_unmasking_now before insert on supervision_unmasking"
    " for each row execute function supervision_unmasking_now()",
    # Which numbers belong to a clue is read from its records, not asked. A row sealed against the caller stays shut.
    f"""
    create or replace function supervision_refs(evidence jsonb)
    returns table (feed text, record_id bigint, ref uuid)
    language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
    #variable_conflict use_column
    declare
        item jsonb;
        row_values jsonb;
    begin
        for item in select * from jsonb_array_elements(evidence) loop
            execute format('select to_jsonb(t) from pool.%I t where t.record_id = $1', item ->> 'feed')
                into row_values using (item ->> 'record_id')::bigint;
            continue when row_values ->> 'seal' is not null
                and not (row_values ->> 'seal') in (select r.kind from (values {_OPEN_ROOMS}) r(kind, department)
                    where r.department in ('', {_DEPARTMENT}));
            return query select item ->> 'feed', (item ->> 'record_id')::bigint, (m.part)[1]::uuid
                from jsonb_each_text(coalesce(row_values, '{{}}')) v(k, cell),
                    regexp_matches(v.cell, '([0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}})', 'g') m(part);
        end loop;
    end $$
    """,
    "revoke all on function supervision_refs(jsonb) from public",
    # The sealed numbers behind the evidence of one clue, for whoever sees it and has given the reason today. The web
    # role reaches the vault by this door and the next alone.
    f"""
    create or replace function supervision_identifiers(of_clue bigint)
    returns table (ref uuid, kind text, box bytea, key_id text)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    #variable_conflict use_column
    declare
        evidence_of jsonb;
    begin
        select evidence into evidence_of from supervision_clue
        where id = of_clue and {VISIBLE}
            and exists (select 1 from supervision_unmasking u where u.clue_id = of_clue
                and u.person = {_PERSON} and u.at > now() - interval '1 day');
        if evidence_of is null then
            raise exception 'no reason given for this clue' using errcode = 'insufficient_privilege';
        end if;
        return query select i.ref, i.kind::text, i.sealed, i.key_id::text from vault_identifier i
            where i.ref in (select r.ref from supervision_refs(evidence_of) r);
    end $$
    """,
    "revoke all on function supervision_identifiers(bigint) from public",
    "grant execute on function supervision_identifiers(bigint) to cx_web",
    # The numbers of an approved disclosure: only in the transaction that opens it, and only once its audit row is
    # written there.
    f"""
    create or replace function supervision_disclosed(of_disclosure bigint)
    returns table (clue bigint, feed text, record_id bigint, ref uuid, kind text, box bytea, key_id text)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    #variable_conflict use_column
    begin
        if not exists (select 1 from supervision_disclosure d where d.id = of_disclosure and d.state = 'opened'
                and d.asked_by = {_PERSON} and d.opened_at = now())
            or not exists (select 1 from audit_auditevent e where e.action = 'identifier.disclose'
                and e.object_ref = of_disclosure::text
                and e.stamp = pg_current_xact_id()::text::bigint + audit_offset()) then
            raise exception 'not open in this act' using errcode = 'insufficient_privilege';
        end if;
        return query select c.id, r.feed, r.record_id, i.ref, i.kind::text, i.sealed, i.key_id::text
            from supervision_disclosureclue x join (select * from supervision_clue where {VISIBLE}) c on c.id = x.clue_id,
                lateral supervision_refs(c.evidence) r join vault_identifier i on i.ref = r.ref
            where x.disclosure_id = of_disclosure;
    end $$
    """,
    "revoke all on function supervision_disclosed(bigint) from public",
    "grant execute on function supervision_disclosed(bigint) to cx_web",
    # Whether the caller sees every clue that a disclosure concerns: those out of sight cannot be counted by the caller.
    f"""
    create or replace function supervision_disclosure_whole(of_disclosure bigint)
    returns boolean language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select not exists (select 1 from supervision_disclosureclue x where x.disclosure_id = of_disclosure
            and not exists (select 1 from supervision_clue where id = x.clue_id and {VISIBLE}))
    $$
    """,
    "revoke all on function supervision_disclosure_whole(bigint) from public",
    "grant execute on function supervision_disclosure_whole(bigint) to cx_web",
    # asked → approved or refused by somebody else whose roles allow it; approved → opened by who asked, in time;
    # withdrawn by who asked. Times are the database's, and what was asked for never changes.
    f"""
    create or replace function supervision_disclosure_guard() returns trigger language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
    declare
        who text := current_setting('cx.person', true);
    begin
        if session_user <> 'cx_web' then
            return new;
        end if;
        if tg_op = 'INSERT' then
            new.asked_at := now();
            return new;
        end if;
        if (new.office, new.asked_by, new.asked_at, new.basis, new.agency, new.addressee, new.reason, new.named_clues) is distinct from
                (old.office, old.asked_by, old.asked_at, old.basis, old.agency, old.addressee, old.reason, old.named_clues) then
            raise exception 'what was asked for stands' using errcode = 'insufficient_privilege';
        end if;
        if old.state = 'asked' and new.state in ('approved', 'refused') then
            if who = old.asked_by or new.decided_by is distinct from who or not exists (
                    select 1 from accounts_person p join accounts_role r on r.code = any (p.roles)
                    where p.username = who and p.is_active and 'disclosure.approve' = any (r.may)) then
                raise exception 'a second person decides' using errcode = 'insufficient_privilege';
            end if;
            new.decided_at := now();
            new.expires_at := case when new.state = 'approved'
                then now() + interval '{REFERENCE.disclosure.valid_days.value} days' end;
        elsif who = old.asked_by and new.decided_by = old.decided_by
                and new.decided_at is not distinct from old.decided_at
                and new.expires_at is not distinct from old.expires_at
                and (old.state in ('asked', 'approved') and new.state = 'withdrawn'
                    or old.state = 'approved' and new.state = 'opened' and now() < old.expires_at) then
            new.opened_at := case when new.state = 'opened' then now() end;
        elsif not (who = old.asked_by and old.state = 'opened' and old.opened_at = now() and new.state = 'opened'
                and new.opened_at = old.opened_at and new.decided_by = old.decided_by
                and new.decided_at = old.decided_at and new.expires_at = old.expires_at) then
            raise exception 'not the next step' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger supervision_disclosure_guard before insert or update on supervision_disclosure"
    " for each row execute function supervision_disclosure_guard()",
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
    *tally.STATEMENTS,
    *lines.STATEMENTS,
    *derived.STATEMENTS,
    *spine_rights.STATEMENTS,
    *profile_rights.STATEMENTS,
    *naming_rights.STATEMENTS,
    *draft_rights.STATEMENTS,
]
