"""What a pack of somebody else's would be here: whether each model holds, which of our feeds satisfy it, what it would replace. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from chuxiong.kit.problems import Problem
from ingestion.catalog.load import Catalog
from supervision.packs.container import Opened
from supervision.packs.document import read_foreign
from supervision.packs.elements import Met, Need, needs_of, satisfaction
from supervision.packs.manifest import SPEC, ModelEntry
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.load import LoadedRule

Standing = Literal["new", "same", "other", "code"]


@dataclass(frozen=True)
class Answer:
    """One need and what of ours answers it, as stored and shown; ``kind`` as in ``elements.Met``."""

    feed: str
    feed_zh: str
    column: str
    zh: str
    type: str
    kind: str
    our_feed: str = ""
    our_column: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one model. ``standing``: new here; the same; another content under our id; our code for another.

    ``ready``: it holds and every field that it reads is there under the same names, so that it can become a draft as
    it is. ``problems`` name the place and the cure.
    """

    id: str
    code: str
    version: int
    title_zh: str
    title_en: str
    domain: str
    tests: int
    standing: Standing
    ready: bool
    ours: str = ""
    answers: tuple[Answer, ...] = ()
    problems: tuple[Problem, ...] = field(default_factory=tuple)

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> Outcome:
        return cls(
            **{
                **kept,
                "answers": tuple(Answer(**a) for a in kept["answers"]),
                "problems": tuple(Problem(**p) for p in kept["problems"]),
            }
        )

    @property
    def met(self) -> int:
        return sum(a.kind in ("same", "like") for a in self.answers)

    @property
    def missing(self) -> list[Answer]:
        return [a for a in self.answers if a.kind not in ("same", "like")]


def answer(met: Met) -> Answer:
    need = met.need
    return Answer(
        need.feed, need.feed_zh, need.column, need.zh, need.type, met.kind,
        met.feed.code if met.feed else "", met.column.name if met.column else "",
    )  # fmt: skip


def outcomes(opened: Opened, catalog: Catalog, ours: Sequence[LoadedRule]) -> list[Outcome]:
    """One a model, in the manifest's order."""
    return [_outcome(entry, opened.files[entry.id, SPEC], catalog, ours) for entry in opened.manifest.models]


def _outcome(entry: ModelEntry, content: bytes, catalog: Catalog, ours: Sequence[LoadedRule]) -> Outcome:
    place = f"models/{entry.id}/{SPEC}"
    rule, problems = read_foreign(content, place, catalog)
    told = [Need(n.feed, n.feed_zh, n.column, n.zh, n.type) for n in entry.needs]
    if rule is not None:
        problems += _against_manifest(rule, entry, place)
        try:
            compile_rule(rule, catalog)
        except (LookupError, TypeError, ValueError, AttributeError, StopIteration, RecursionError):
            problems.append(
                Problem(
                    place, "模型无法编译", "请对方核对条件与连接后重新导出。",
                    "the model cannot be compiled", "Ask the publisher to check conditions and links.",
                )
            )  # fmt: skip
    # A valid rule tells itself what it reads; of another one the publisher's word is all there is.
    needs = needs_of(rule, catalog) if rule is not None else told
    answers = tuple(answer(m) for m in satisfaction(needs, catalog))
    standing, same = _standing(entry, rule, ours)
    return Outcome(
        entry.id, entry.code, entry.version, entry.title.zh, entry.title.en, entry.domain, entry.tests, standing,
        ready=rule is not None and not problems and all(a.kind == "same" for a in answers),
        ours=f"{same.code} v{same.version}" if same else "",
        answers=answers,
        problems=tuple(problems),
    )  # fmt: skip


def _against_manifest(rule: LoadedRule, entry: ModelEntry, place: str) -> list[Problem]:
    """What people read of a pack is what runs."""
    pairs = {
        "id": (rule.id, entry.id),
        "code": (rule.code, entry.code),
        "version": (rule.version, entry.version),
        "domain": (rule.domain, entry.domain),
        "title.zh": (rule.title.zh, entry.title.zh),
        "title.en": (rule.title.en, entry.title.en),
        "digest": (rule.digest, entry.digest),
        "tests": (len(rule.tests), entry.tests),
    }
    return [
        Problem(
            f"{place} → {key}",
            "与清单所写不同",
            "请对方重新导出。",
            "differs from the manifest",
            "Ask the publisher for a fresh export.",
        )
        for key, (one, other) in pairs.items()
        if one != other
    ]


def _standing(
    entry: ModelEntry, rule: LoadedRule | None, ours: Sequence[LoadedRule]
) -> tuple[Standing, LoadedRule | None]:
    digest = rule.digest if rule is not None else entry.digest
    for own in ours:
        if own.id == entry.id:
            return ("same" if own.digest == digest else "other"), own
    for own in ours:
        if own.digest == digest:
            return "same", own
    for own in ours:
        if own.code == entry.code:
            return "code", own
    return "new", None
