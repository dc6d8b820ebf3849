"""A trial: what a draft says about the data of today. It raises no clue and touches no hit.

First its stored tests, through the compiled SQL; then a count over the data, as a back-test, with ten samples.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from ingestion import selectors as ingestion
from supervision.drafts.book import loaded_rule
from supervision.matching import backtest, history
from supervision.matching.stored_tests import failures, unproved_leaves
from supervision.models import RuleDraft
from supervision.reference import REFERENCE
from supervision.rulebook.load import LoadedRule

SAMPLES = 10


def work(number: int, *, at: datetime, as_of: date) -> None:
    """Try a draft that waits for it; one that is not in trial (any more) is left alone."""
    draft = RuleDraft.objects.filter(pk=number, state="trial").first()
    if draft is None:
        return
    rule = loaded_rule(draft)
    if rule is None:
        _note(draft, at, ok=False, told=_UNFIT)
        return
    failed = [{"test": n, "expected": e, "found": f} for n, e, f in failures(rule, ingestion.catalog())]
    unproved = [] if failed else unproved_leaves(rule, ingestion.catalog())
    found: dict[str, Any] = {"failed": failed, "unproved": unproved}
    if not failed and not unproved:
        try:
            found |= _counted(draft, rule, at=at, as_of=as_of)
        except history.RunStopped as stopped:
            # Too many pairs is told at the links, what an agreement leaves out at the sources.
            place = {"over": "link", "stopped": "sources"}.get(stopped.state, "")
            found |= {"told": {"zh": stopped.zh, "en": stopped.en}, "place": place}
    _note(draft, at, ok="hits" in found, **found)


_UNFIT = {
    "zh": "数据目录已变，这个模型用到的数据源或列不在了；打开表单，按提示改正",
    "en": "The catalogue has changed; open the form and mend what it names",
}


def _note(draft: RuleDraft, at: datetime, **found: Any) -> None:
    said = {
        "at": timezone.localtime(at).isoformat(" ", "minutes"),
        "digest": draft.digest,
        "place": "",
        **found,
    }
    RuleDraft.objects.filter(pk=draft.pk, state="trial").update(checked=said)


def _counted(draft: RuleDraft, rule: LoadedRule, *, at: datetime, as_of: date) -> dict[str, Any]:
    def look(cursor: Any) -> None:
        cursor.execute("delete from supervision_draftsample where draft_id = %s", [draft.pk])
        if REFERENCE.closed_to(rule.domain):
            # What one department alone may see is looked at as clues, not here. All others read no sealed row.
            return
        cursor.execute(
            "insert into supervision_draftsample (draft_id, place, county, level, label, material)"
            " select %(draft)s, row_number() over (order by o.n), o.county, o.level, coalesce(o.material ->> 'label', ''),"
            " o.material - 'label' from (select r.*, row_number() over (partition by coalesce(r.county, '') order by md5(r.subject_ref || r.bucket)) as n"
            " from run_result r where r.verdict = 'hit') o order by o.n limit %(most)s",
            {"draft": draft.pk, "most": SAMPLES},
        )

    with transaction.atomic():
        counted = backtest.backtest(
            rule,
            at=at,
            as_of=as_of,
            engine="postgres",
            asked=history.Asked(draft.author_name, 7),
            draft=True,
            look=look,
        )
    against = json.loads(json.dumps(counted.against))
    return {
        "hits": counted.hits, "undecided": counted.undecided, "levels": counted.levels,
        "seconds": counted.seconds, "against": against, "run": counted.run, "as_of": as_of.isoformat(),
    }  # fmt: skip
