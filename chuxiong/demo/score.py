"""Precision and recall of every rule against the planted truth, and the same for the planted defects."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection, connections

from chuxiong.vault import refs
from supervision.selectors import live_rules

_VAULT_KIND = {"person": refs.PERSON, "organisation": refs.ORGANISATION}


@dataclass
class RuleScore:
    """One rule's result. Undecided subjects are counted apart: they are neither right nor wrong."""

    rule: str
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
        actual = {(ref, bucket): (verdict, level) for ref, bucket, verdict, level in cursor.fetchall()}
    result = RuleScore(rule)
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
