"""The studio's pages that show: all drafts, and one version with its trial, its likes, its versions."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chuxiong.kit import mask
from dashboard.accounts.page import allowed
from dashboard.desk.page import page, person, pick
from dashboard.runs.words import AGAINST, LEVELS, verdict
from dashboard.studio.words import STATES, domain
from supervision.drafts import reading
from supervision.drafts.actions import publishes
from supervision.rulebook.sentence import found_words, rule_sentence


@allowed("rule.write", "rule.approve")
@require_safe
def drafts(request: HttpRequest) -> HttpResponse:
    who = person(request)
    found = reading.drafts(who)
    counts = {state: sum(d.state == state for d in found) for state in STATES}
    state = request.GET.get("state", "")
    rows = [d for d in found if not state or d.state == state]
    context = {
        "rows": [(d, pick(d.title_zh, d.title_en) or d.rule, domain(d.domain)) for d in rows],
        "tabs": [(code, counts[code]) for code in STATES if counts[code]],
        "state": state,
        "everything": len(found),
        "may_write": who.may("rule.write"),
    }
    return page(request, "studio/drafts.html", "studio", context)


@allowed("rule.write", "rule.approve")
@require_safe
def draft(request: HttpRequest, draft: int) -> HttpResponse:
    return draft_page(request, draft)


def draft_page(request: HttpRequest, number: int, refused: str = "") -> HttpResponse:
    """One version; ``refused`` says why an act was not done."""
    who = person(request)
    found = reading.detail(who, number)
    if found is None:
        raise Http404
    made, rule, language = found.draft, found.rule, "en" if pick("", "en") else "zh"
    checked: dict[str, Any] = (
        made.checked if made.checked.get("digest") == made.digest and made.digest else {}
    )
    shown = []
    for sample in found.samples if checked and rule else ():
        told = found_words(rule, sample.material, language) if rule else []  # type: ignore[arg-type]
        shown.append(
            (
                sample.place,
                mask.person_name(sample.label) if sample.label else "—",
                sample.level,
                "，".join(told),
            )
        )
    context = {
        "d": made,
        "rule": rule,
        "title": pick(made.title_zh, made.title_en) or made.rule,
        "domain": domain(made.domain),
        "sentence": rule_sentence(rule, None, language) if rule else "",  # type: ignore[arg-type]
        "versions": found.versions,
        "like": [
            (like.rule.code, pick(like.rule.title.zh, like.rule.title.en), like.percent)
            for like in found.like
        ],
        "checked": checked,
        "levels": [(pick(*LEVELS[code]), n) for code, n in checked.get("levels", {}).items()],
        "against": [
            (pick(*AGAINST[kind]), sum(people.values()), [(verdict(word), n) for word, n in people.items()])
            for kind, people in checked.get("against", {}).items()
            if people
        ],
        "told": pick(checked["told"]["zh"], checked["told"]["en"]) if checked.get("told") else "",
        "samples": shown,
        "state": found.state,
        "exclusions": found.exclusions,
        "shipped": found.shipped,
        "refused": refused,
        "own": made.author == who.username,
        "may_write": who.may("rule.write"),
        "may_approve": publishes(who),
        "may_publish": publishes(who) and made.author != who.username and checked.get("ok"),
        "typed": request.POST,
        "unnamed": _("未命名"),
    }
    return page(request, "studio/draft.html", "studio", context, status=409 if refused else 200)
