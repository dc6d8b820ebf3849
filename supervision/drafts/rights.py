"""Who may write what of the rules that people make: two people, one step at a time, and what is published stands."""

from chuxiong.accounts.rights import OFFICE_IN_SCOPE

_PERSON = "(select coalesce(current_setting('cx.person', true), ''))"
_IN_OFFICE = OFFICE_IN_SCOPE.format(column="office")
_COUNTY = OFFICE_IN_SCOPE.format(column="county")
#: a sample is seen by those who see its draft and answer for its county
_SEEN_DRAFT = (
    f"(county is null or {_COUNTY}) and exists (select 1 from supervision_ruledraft d"  # noqa: S608
    f" where d.id = draft_id and {OFFICE_IN_SCOPE.format(column='d.office')})"
)

TABLES = {
    # The worker finds out and releases; what a rule says and who answers for it people write.
    "supervision_ruledraft": {
        "worker": "SELECT, UPDATE (checked, held, released_at)",
        "web": "SELECT, INSERT, UPDATE (title_zh, title_en, domain, code, rule, spec, digest, note, state, approver,"
        " approver_name, changed_at, approved_at, withdrawn_at, withdrawn_by, withdrawn_reason, revision, batch)",
    },
    "supervision_draftsample": {"worker": "SELECT, INSERT, DELETE", "web": "SELECT"},
    "supervision_ruleexclusion": {"worker": "SELECT", "web": "SELECT, INSERT, UPDATE (ended_by, ended_at)"},
}
POLICIES = {
    # What was published everybody's process reads, to run it and to explain its clues.
    "supervision_ruledraft": [
        ("run", ["worker"], "all", "true", "true"),
        ("read", ["web"], "select", f"approver <> '' or {_IN_OFFICE}", ""),
        (
            "make",
            ["web"],
            "insert",
            "",
            f"author = {_PERSON} and state = 'draft' and approver = '' and checked = '{{}}' and {_IN_OFFICE}",
        ),
        ("move", ["web"], "update", _IN_OFFICE, _IN_OFFICE),
    ],
    "supervision_draftsample": [
        ("run", ["worker"], "all", "true", "true"),
        (
            "see",
            ["web"],
            "select",
            _SEEN_DRAFT,
            "",
        ),
    ],
    "supervision_ruleexclusion": [
        ("run", ["worker"], "select", "true", ""),
        ("see", ["web"], "select", _IN_OFFICE, ""),
        (
            "add",
            ["web"],
            "insert",
            "",
            f"added_by = {_PERSON} and {_IN_OFFICE} and ended_at is null and exists (select 1 from supervision_clue c"  # noqa: S608
            " where c.id = clue_id and c.rule = supervision_ruleexclusion.rule"
            " and c.subject_kind = supervision_ruleexclusion.subject_kind"
            " and c.subject_ref = supervision_ruleexclusion.subject_ref)",
        ),
        ("end", ["web"], "update", _IN_OFFICE, f"ended_by = {_PERSON} and ended_at is not null"),
    ],
}
STATEMENTS = [
    # Whoever writes a rule cannot make it run: the trigger knows the person of the scope, not what code says.
    """
    create or replace function supervision_draft_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    declare
        who text := coalesce(current_setting('cx.person', true), '');
    begin
        if current_user <> 'cx_web' then
            return new;
        end if;
        if old.state <> 'draft' and new.state <> 'draft' and
                (new.rule, new.code, new.spec, new.digest, new.domain) is distinct from
                (old.rule, old.code, old.spec, old.digest, old.domain) then
            raise exception 'only a draft is written' using errcode = 'insufficient_privilege';
        end if;
        if new.state is distinct from old.state then
            if not ((old.state, new.state) in (('draft', 'trial'), ('trial', 'draft'), ('trial', 'published'),
                    ('draft', 'withdrawn'), ('trial', 'withdrawn'), ('published', 'withdrawn'))
                    or (old.state, new.state) = ('withdrawn', 'published') and old.approver <> '') then
                raise exception 'not the next step' using errcode = 'insufficient_privilege';
            end if;
            if new.state = 'published' and not exists (
                    select 1 from accounts_person p join accounts_role r on r.code = any (p.roles)
                    where p.username = who and p.is_active and 'rule.approve' = any (r.may)) then
                raise exception 'whoever may approve approves' using errcode = 'insufficient_privilege';
            end if;
            if old.state = 'trial' and new.state = 'published' and (who = old.author
                    or new.approver is distinct from who or new.digest = ''
                    or old.checked ->> 'ok' is distinct from 'true'
                    or old.checked ->> 'digest' is distinct from old.digest) then
                raise exception 'a second person approves what was tried' using errcode = 'insufficient_privilege';
            end if;
        end if;
        if not (old.state = 'trial' and new.state = 'published') and
                (new.approver, new.approved_at) is distinct from (old.approver, old.approved_at) then
            raise exception 'an approval stands' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger supervision_draft_guard before update on supervision_ruledraft"
    " for each row execute function supervision_draft_guard()",
]
