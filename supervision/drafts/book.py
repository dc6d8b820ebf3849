"""The rulebook of this process, kept in line with what people have published.

Shipped rules are read once. A published version stands beside them, or in the place of the rule that it is a version of;
once withdrawn it runs no more, but stays to explain the clues that it raised.
"""

from __future__ import annotations

import logging
from threading import Lock

from ingestion import selectors as ingestion
from supervision.models import RuleDraft, RuleState
from supervision.rulebook.load import LoadedRule, Rulebook, read_rule
from supervision.selectors import rules as shelf

logger = logging.getLogger(__name__)


class _Brought:
    """What this process has brought in: (draft, state) by rule."""

    rules: dict[str, tuple[int, str]] = {}
    lock = Lock()


def bring_in(*, using: str = "default") -> None:
    """Bring the rulebook in line with the database. One small query where nothing has changed: pages may ask every time,
    and ask as often for one thing as for another."""
    with _Brought.lock:
        wanted = _wanted(using)
        if wanted == _Brought.rules:
            return
        book, shipped = shelf.own_rulebook(), shelf.shipped_rules()
        for rule in _Brought.rules.keys() - wanted.keys():
            book.pop(rule, None)
            if rule in shipped:
                book[rule] = shipped[rule]
        changed = {rule: at for rule, at in wanted.items() if _Brought.rules.get(rule) != at}
        for draft in RuleDraft.objects.using(using).filter(pk__in=[pk for pk, _ in changed.values()]):
            loaded = loaded_rule(draft)
            if loaded is None:
                # A column that it reads has left the catalogue since. It stays as it was until somebody mends it.
                logger.error(
                    "published rule %s version %s does not fit the catalogue", draft.rule, draft.version
                )
                continue
            if draft.state == "published" or draft.rule not in shipped:
                book[draft.rule] = loaded
            else:
                book[draft.rule] = shipped[draft.rule]
        _Brought.rules = wanted
        shelf.forget()


def _wanted(using: str) -> dict[str, tuple[int, str]]:
    """Rule → its published version, else the one that was published last."""
    found: dict[str, tuple[int, str]] = {}
    rows = RuleDraft.objects.using(using).exclude(approver="").order_by("withdrawn_at", "version")
    for pk, rule, state in rows.values_list("pk", "rule", "state"):
        if state in ("published", "withdrawn") and found.get(rule, (0, ""))[1] != "published":
            found[rule] = (pk, state)
    return found


def loaded_rule(draft: RuleDraft) -> LoadedRule | None:
    """The rule as the engine runs it, under its draft's state; None where it does not fit the catalogue (any more)."""
    rule, _ = read_rule(draft.spec, draft.rule, ingestion.catalog())
    if rule is None:
        return None
    status = {"published": "live", "withdrawn": "retired"}.get(draft.state, draft.state)
    return rule.model_copy(update={"version": draft.version, "status": status})


def register(rule: LoadedRule, *, using: str = "default") -> None:
    """Enter a rule where runs keep how far it has read. What it has read stays."""
    RuleState.objects.using(using).update_or_create(
        rule=rule.id,
        defaults={
            "code": rule.code, "version": rule.version, "digest": rule.digest, "status": rule.status,
            "title_zh": rule.title.zh, "title_en": rule.title.en, "domain": rule.domain,
        },
    )  # fmt: skip


def whole_book(using: str) -> Rulebook:
    """Shipped and published rules together, after a look."""
    bring_in(using=using)
    return shelf.rulebook()
