"""Precision and recall of every rule against the planted truth, and the same for the planted defects."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection, connections

from chuxiong.vault import refs
from supervision.rulebook.spec import RuleSpec, judged_leaves
from supervision.selectors import live_rules, rulebook

#: how near rules on likeness or on resolved identity must come: precision, recall
LIKELY = (0.97, 0.95)
_LIKENESS = ("similar_name", "similar_address")
#: a number inside a text column: the one mention that is the subject
_MENTION = re.compile(r"^〔\w+:([^〕]+)〕$")
_VAULT_KIND = {"person": refs.PERSON, "organisation": refs.ORGANISATION}


@dataclass
class RuleScore:
    """One rule's result. Undecided subjects are counted apart: they are neither right nor wrong."""

    rule: str
    #: whether the rule rests on likeness or on identity resolved from mentions
    likely: bool = False
    expected: int = 0
    found: int = 0
    right: int = 0
    undecided_expected: int = 0
    undecided_right: int = 0
    innocent_hits: int = 0
    level_right: int = 0
    classes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.expected if self.expected else 1.0

    @property
    def meets(self) -> bool:
        """Exact where the rule is exact; near enough where it rests on likeness; no innocent hit in either."""
        if self.likely:
            return not self.innocent_hits and self.precision >= LIKELY[0] and self.recall >= LIKELY[1]
        return self.exact

    @property
    def exact(self) -> bool:
        return (
            self.right == self.expected == self.found
            and not self.innocent_hits
            and self.undecided_expected == self.undecided_right
        )


def score(truth: Path) -> list[RuleScore]:
    """Compare stored hits of the live rules with the truth file. Subjects appear as refs, never in the clear."""
    planted: dict[str, dict[tuple[str, str], dict[str, object]]] = defaultdict(dict)
    for line in truth.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "rule" in row:
            planted[row["rule"]][_ref(row["subject_kind"], row["subject"]), row.get("bucket", "")] = row
    live = set(live_rules())
    return [_score(rule, rows) for rule, rows in sorted(planted.items()) if rule in live]


def _ref(kind: str, subject: str) -> str:
    if kind not in _VAULT_KIND:
        return subject
    found = refs.find(connections["intake"], _VAULT_KIND[kind], subject)
    return str(found) if found else f"unknown:{kind}"


def _score(rule: str, planted: dict[tuple[str, str], dict[str, object]]) -> RuleScore:
    with connection.cursor() as cursor:
        cursor.execute(
            "select subject_ref, bucket, verdict, level from supervision_hit where rule = %s", [rule]
        )
        actual = {
            (_MENTION.sub(r"\1", ref), bucket): (verdict, level)
            for ref, bucket, verdict, level in cursor.fetchall()
        }
    result = RuleScore(rule, likely=_rests_on_likeness(rulebook()[rule]))
    hits = {key for key, (verdict, _) in actual.items() if verdict == "hit"}
    waiting = {ref for (ref, _), (verdict, _) in actual.items() if verdict == "undecided"}
    for key, row in planted.items():
        kind = str(row["class"])
        result.classes[kind] += 1
        verdict = actual.get(key, (None, None))[0]
        if kind == "undecided" and not key[1] and key[0] in waiting:
            # What cannot be decided has no first event that would name the occurrence.
            verdict = "undecided"
        if kind == "hit":
            result.expected += 1
            if key in hits:
                result.right += 1
                result.level_right += row.get("level") in (None, actual[key][1])
            else:
                result.missed.append(f"{key[0]} {row.get('why', '')} -> {verdict}")
        elif kind == "undecided":
            result.undecided_expected += 1
            result.undecided_right += verdict == "undecided"
            if verdict != "undecided":
                result.missed.append(f"{key[0]} {row.get('why', '')} -> {verdict}")
        elif key in hits:
            result.innocent_hits += 1
    result.found = len(hits)
    for key in sorted(hits):
        if str(planted.get(key, {}).get("class")) != "hit":
            result.wrong.append(f"{key[0]} {planted.get(key, {}).get('why', '未植入')}")
    return result


def _rests_on_likeness(rule: RuleSpec) -> bool:
    absences = [absence for without in rule.without for absence in without.feeds]
    return (
        any(link.tier != "A" for link in rule.link)
        or any(leaf.op in _LIKENESS for leaf in judged_leaves(rule))
        or any(absence.alike or absence.named_in for absence in absences)
    )
