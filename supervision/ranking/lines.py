"""What the queue asks of a clue, kept on one narrow line beside it by triggers, whatever code writes the clue.

A new line stands by its level until the job ``rank`` has reckoned its place; a line whose facts changed keeps its place till
then. A closed clue leaves the open queue at once, in the same transaction.
"""

from __future__ import annotations

from supervision.ranking import expected

#: column of the line → of the clue ``f``
_COPIED = {
    "office": "f.office",
    "closed_to": "f.closed_to",
    "handler": "f.handler",
    "personal": "f.personal",
    "exercise": "f.exercise",
    "open": "f.open",
    "state": "f.state",
    "level": "f.level",
    "model": "case when f.rule = '' then '@' || f.origin else f.rule end",
    "version": "coalesce(f.rule_version, 0)",
    "origin": "f.origin",
    "raised_at": "f.raised_at",
    "due_on": "f.due_on",
    "deferred_until": "f.deferred_until",
    "changed": "f.changed",
    "rebound": "f.rebound",
    "checked_at": "f.checked_at",
    "confirmed": "f.confirmed_at is not null",
}
_READ = (
    "office", "closed_to", "handler", "personal", "exercise", "open", "state", "level", "rule", "rule_version", "origin",
    "raised_at", "due_on", "deferred_until", "changed", "rebound", "checked_at", "confirmed_at", "evidence", "material",
)  # fmt: skip
#: facts that the place rests on, and those that the chances of a kind rest on
_MOVING = ("office", "open", "level", "rule", "rule_version", "raised_at", "due_on", "deferred_until", "rebound", "evidence", "material")  # fmt: skip
_TELLING = (
    "office",
    "personal",
    "exercise",
    "rule",
    "rule_version",
    "checked_at",
    "confirmed_at",
    "evidence",
)


def _differs(columns: tuple[str, ...]) -> str:
    return (
        f"({', '.join(f'f.{c}' for c in columns)}) is distinct from ({', '.join(f'o.{c}' for c in columns)})"
    )


def _standing() -> str:
    """SQL: the place of a line that nothing but its level is known of."""
    spec = expected.spec()
    by_level = " ".join(
        f"when '{name}' then {spec.prior.chance * figure.value * 60 / spec.minutes.base.value}"
        for name, figure in spec.levels.items()
    )
    return (
        f"(case when not f.open then {expected.CLOSED} else case f.level {by_level} else 0 end end)::float8"
    )


_SOURCES = "supervision_rank_sources(f.evidence)"
_COLUMNS = f"clue_id, {', '.join(_COPIED)}, sources, tier, amount, place, dirty"
_VALUES = f"f.id, {', '.join(_COPIED.values())}, {_SOURCES}, '', 0, {_standing()}, case when f.checked_at is null then 1 else 3 end"
STATEMENTS = [
    """
    create or replace function supervision_rank_sources(evidence jsonb) returns text
    language sql immutable set search_path = pg_catalog, public, pg_temp as $$
        select coalesce(left(string_agg(distinct e ->> 'feed', '+' order by e ->> 'feed'), 380), '')
        from jsonb_array_elements(case when jsonb_typeof(evidence) = 'array' then evidence else '[]' end) e
    $$
    """,
    f"""
    create or replace function supervision_rank_keep() returns trigger language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if tg_op = 'INSERT' then
            insert into supervision_cluerank ({_COLUMNS}) select {_VALUES} from fresh f on conflict (clue_id) do nothing;
        elsif tg_op = 'UPDATE' then
            update supervision_cluerank r set ({", ".join(_COPIED)}) = row ({", ".join(_COPIED.values())}),
                sources = case when f.evidence is distinct from o.evidence then {_SOURCES} else r.sources end,
                place = case when f.open and o.open then r.place else {_standing()} end,
                dirty = r.dirty | case when {_differs(_MOVING)} then 1 else 0 end
                    | case when {_differs(_TELLING)} and (f.checked_at is not null or o.checked_at is not null)
                        then 2 else 0 end
            from fresh f join former o on o.id = f.id
            where r.clue_id = f.id and {_differs(_READ)};
        elsif tg_op = 'DELETE' then
            delete from supervision_cluerank r using former o where r.clue_id = o.id;
        else
            lock table supervision_cluerank in exclusive mode;
            delete from supervision_cluerank;
        end if;
        return null;
    end $$
    """,
    *(
        f"create or replace trigger supervision_rank_{what} after {what} on supervision_clue"
        f" {tables} for each statement execute function supervision_rank_keep()"
        for what, tables in (
            ("insert", "referencing new table as fresh"),
            ("update", "referencing new table as fresh old table as former"),
            ("delete", "referencing old table as former"),
            ("truncate", ""),
        )
    ),
    # Lines of clues from before the triggers, or that came past them; at every ``migrate``.
    f"insert into supervision_cluerank ({_COLUMNS}) select {_VALUES} from supervision_clue f"
    " where not exists (select 1 from supervision_cluerank r where r.clue_id = f.id)",
]
