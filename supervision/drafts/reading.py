"""Rules that people make, as pages read them; and what the worker must look at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings

from chuxiong.accounts.models import Person
from ingestion import selectors as ingestion
from supervision import selectors
from supervision.drafts.book import loaded_rule
from supervision.drafts.checking import Like, much_like
from supervision.models import DraftSample, RuleDraft, RuleExclusion, RuleState
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.form_check import document_of
from supervision.rulebook.load import LoadedRule

_MOST = 300


@dataclass(frozen=True)
class Detail:
    """One version with all that is known of it. ``rule`` is None while it holds problems; ``state`` is that of the runs."""

    draft: RuleDraft
    rule: LoadedRule | None
    versions: Sequence[RuleDraft]
    samples: Sequence[DraftSample]
    like: Sequence[Like]
    state: RuleState | None
    exclusions: int
    #: the rule ships with the product and is no version made here
    shipped: LoadedRule | None


def drafts(person: Person) -> list[RuleDraft]:
    """Within reach, the newest first; without their text."""
    with selectors.reach(person):
        return list(
            RuleDraft.objects.filter(office__in=person.office_codes)
            .defer("spec")
            .order_by("-changed_at", "-id")[:_MOST]
        )


def detail(person: Person, number: int) -> Detail | None:
    """None when it is out of reach."""
    with selectors.reach(person):
        draft = RuleDraft.objects.filter(pk=number, office__in=person.office_codes).first()
        if draft is None:
            return None
        rule = loaded_rule(draft) if draft.digest else None
        return Detail(
            draft=draft,
            rule=rule,
            versions=list(RuleDraft.objects.filter(rule=draft.rule).defer("spec").order_by("-version")),
            samples=list(DraftSample.objects.filter(draft=draft)),
            like=much_like(rule, selectors.rulebook().values()) if rule else [],
            state=RuleState.objects.filter(rule=draft.rule).first(),
            exclusions=RuleExclusion.objects.filter(rule=draft.rule, ended_at=None).count(),
            shipped=selectors.shipped_rules().get(draft.rule),
        )


def document(draft: RuleDraft) -> dict[str, object]:
    """Its rule as a document, problems and all."""
    return document_of(draft.spec)


def document_in_force(rule: str) -> dict[str, object] | None:
    """The document of a rule as it runs now: the published version, else the shipped file; None where there is none."""
    published = RuleDraft.objects.filter(rule=rule, state="published").first()
    if published is not None:
        return document_of(published.spec)
    if rule not in selectors.shipped_rules():
        return None
    found = next(iter(settings.RULES_DIR.glob(f"*/{rule}.yaml")), None)
    return document_of(found.read_text(encoding="utf-8")) if found else None


def exclusions(person: Person) -> list[RuleExclusion]:
    """Within reach: those that hold first, then those that have ended, the newest first."""
    with selectors.reach(person):
        found = RuleExclusion.objects.select_related("clue").order_by("-id")[:_MOST]
        return sorted(found, key=lambda e: e.ended_at is not None)


def trials_reading(landing: int) -> list[int]:
    """Drafts in trial that read a feed which landed as ``landing``."""
    feeds = ingestion.landed_feeds(since=landing - 1, until=landing) - {""}
    found = []
    for draft in RuleDraft.objects.filter(state="trial"):
        rule = loaded_rule(draft)
        if rule is not None and feeds & set(compile_rule(rule, ingestion.catalog()).fields_read):
            found.append(draft.pk)
    return found


def to_look_at_again(today: date) -> list[str]:
    """Rules of which an exclusion has run out within the last week: what they hold true becomes clues now."""
    ended = RuleExclusion.objects.filter(ended_at=None, until__lt=today, until__gte=today - timedelta(days=7))
    return sorted(set(ended.values_list("rule", flat=True)))
