"""A track: the way of one kind of lawful supervision as a document. Strict; every error names file and cure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chuxiong.kit.problems import Problem
from supervision.rulebook.spec import Basis
from supervision.tracks.terms import Term

FOLDER = Path(__file__).parent / "material"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(_Strict):
    zh: str
    en: str


class Variant(_Strict):
    """Another length of the same clock, chosen with the step that starts it, e.g. urgent."""

    zh: str
    en: str
    term: Term
    source: str


class Clock(_Strict):
    """Runs from the date of its step until a step of ``stops``. ``held``: the text of the source lies before us."""

    zh: str
    en: str
    term: Term
    #: what the usual length stands for, where the choice says something
    usual: Named | None = None
    variants: dict[str, Variant] = Field(default_factory=dict)
    stops: tuple[str, ...] = Field(min_length=1)
    #: a last day that rests moves on
    rolls: bool = False
    #: days before the end from which the handler is warned
    warn: int = Field(ge=0)
    #: days after the end from which the office above is told
    escalate: int = Field(7, ge=0)
    source: str
    held: bool = True


class Requirement(_Strict):
    """Where ``step`` was taken (with ``variant``, if named), ``taken`` must stand as well; the words say why."""

    step: str
    variant: str = ""
    taken: str
    zh: str
    en: str


class Step(_Strict):
    """One step: its date, its document, what must be entered with it, and the clock that it starts."""

    code: str = Field(pattern=r"^[a-z][a-z_]*$")
    zh: str
    en: str
    #: what its date is called, e.g. 送达日
    date_zh: str
    date_en: str
    #: a type of document (supervision/documents); "" = none
    document: str = ""
    #: official number and approver come from the national business system
    official: bool = False
    #: steps one of which must stand before; empty = may begin the track
    after: tuple[str, ...] = ()
    #: of those steps, ones that must stand once another was taken with a certain variant of its clock
    requires: tuple[Requirement, ...] = ()
    #: its date may lie before the steps that it follows, e.g. the day on which employment ended
    earlier: bool = False
    #: one of these is chosen with it; why something is passed on, why somebody does not sue
    reasons: dict[str, Named] = Field(default_factory=dict)
    #: may be entered again, e.g. a further visit
    repeats: bool = False
    clock: Clock | None = None
    #: with it the track ends and the clue may be settled
    ends: bool = False


class Rate(_Strict):
    """A share over all cases of a feed, shown with the register: ``part`` of ``whole``, one row a ``key``."""

    zh: str
    en: str
    feed: str
    key: str
    whole: str
    part: str
    months: int = Field(6, ge=1, le=24)
    source: str


class TrackSpec(_Strict):
    code: str = Field(pattern=r"^[a-z][a-z_]*$")
    version: int = Field(ge=1)
    zh: str
    en: str
    domains: tuple[str, ...]
    #: what a clue settled by this track counts as (supervision/reference.yaml, outcome_kinds)
    outcome: Literal["corrected", "improved"]
    kind: str
    basis: tuple[Basis, ...] = Field(min_length=1)
    note: Named | None = None
    #: rules whose clues belong to the track's register, also before it begins
    rules: tuple[str, ...] = ()
    #: measures of those rules (money, 分) that the register adds up
    amounts: dict[str, Named] = Field(default_factory=dict)
    rate: Rate | None = None
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> TrackSpec:
        codes = [s.code for s in self.steps]
        twice = {c for c in codes if codes.count(c) > 1}
        if twice:
            raise ValueError(f"步骤 {'、'.join(sorted(twice))} 写了两次")
        for step in self.steps:
            named = {*step.after, *(step.clock.stops if step.clock else ())}
            named |= {code for r in step.requires for code in (r.step, r.taken)}
            if unknown := named - set(codes):
                raise ValueError(f"步骤 {step.code}：没有步骤 {'、'.join(sorted(unknown))}")
        clocks = {s.code: s.clock.variants for s in self.steps if s.clock}
        for step in self.steps:
            for needed in step.requires:
                if needed.variant and needed.variant not in clocks.get(needed.step, {}):
                    raise ValueError(f"步骤 {step.code}：{needed.step} 没有期限 {needed.variant}")
        if not any(not s.after for s in self.steps):
            raise ValueError("至少一个步骤没有 after，轨道才能开始")
        if not any(s.ends for s in self.steps):
            raise ValueError("至少一个步骤写 ends: true，轨道才能结束")
        reached = {s.code for s in self.steps if not s.after}
        while more := {s.code for s in self.steps if set(s.after) & reached} - reached:
            reached |= more
        if lost := set(codes) - reached:
            raise ValueError(f"步骤 {'、'.join(sorted(lost))} 永远走不到；核对 after")
        return self

    def step(self, code: str) -> Step:
        """Raises KeyError for a step that the track does not have."""
        for step in self.steps:
            if step.code == code:
                return step
        raise KeyError(code)

    def missing(self, step: Step, done: set[str], variants: Mapping[str, str]) -> Requirement | None:
        """What the step still waits for; ``variants``: which length of its clock a taken step chose."""
        for needed in step.requires:
            fits = variants.get(needed.step) == needed.variant if needed.variant else needed.step in done
            if fits and needed.taken not in done:
                return needed
        return None

    def open_steps(self, done: set[str]) -> list[Step]:
        """The steps that may come now, in the order of the file."""
        if any(self.step(code).ends for code in done):
            return []
        return [
            s
            for s in self.steps
            if (s.repeats or s.code not in done) and (not s.after or set(s.after) & done)
        ]


class TrackError(Exception):
    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def load_tracks(folder: Path = FOLDER) -> dict[str, TrackSpec]:
    """All tracks by code, in the order of the files' names; raises ``TrackError`` with every problem."""
    tracks: dict[str, TrackSpec] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            track = TrackSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as fault:
            problems += _problems(path.name, fault)
            continue
        if track.code != path.stem:
            problems.append(Problem(path.name, f"code 是 {track.code}", "文件名与 code 一致"))
        tracks[track.code] = track
    if problems:
        raise TrackError(problems)
    return tracks


def _problems(name: str, fault: ValidationError | yaml.YAMLError) -> list[Problem]:
    if isinstance(fault, yaml.YAMLError):
        return [Problem(name, f"不是有效的 YAML：{fault}", "核对缩进和标点")]
    return [
        Problem(f"{name} {'.'.join(map(str, e['loc']))}", e["msg"], "按 supervision/tracks/README.md 改写")
        for e in fault.errors()
    ]


@lru_cache(maxsize=1)
def tracks() -> dict[str, TrackSpec]:
    return load_tracks()
