"""The register of rivers as people hand it over: one YAML file, checked strictly. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chuxiong.kit.problems import Problem
from chuxiong.kit.river_line import Mark, RiverLine

_COUNTY = r"^5323(0[0-2]|2[2-9])$"
County = Annotated[str, Field(pattern=_COUNTY)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stretch(_Strict):
    """A piece of the river and the county that answers for it; ``codes``: stretch codes of the patrol feed."""

    from_km: float
    to_km: float
    county: County
    zh: str
    en: str
    codes: tuple[str, ...] = ()


class Flow(_Strict):
    """How fast water runs here: metres a second."""

    from_km: float
    to_km: float
    slow_ms: float = Field(gt=0)
    fast_ms: float = Field(gt=0)
    valid_from: date
    valid_to: date | None = None
    source: str

    @model_validator(mode="after")
    def _ordered(self) -> Flow:
        if self.fast_ms < self.slow_ms:
            raise ValueError("fast_ms 不能小于 slow_ms")
        return self


class LimitLine(_Strict):
    """One line of a permit."""

    factor: str
    period: Literal["sample", "hour", "day", "month"]
    at_least: float | None = None
    at_most: float | None = None
    unit: str
    valid_from: date
    valid_to: date | None = None
    source: str

    @model_validator(mode="after")
    def _some(self) -> LimitLine:
        if self.at_least is None and self.at_most is None:
            raise ValueError("at_least 和 at_most 至少填一个")
        return self


class _Place(_Strict):
    code: str = Field(max_length=40)
    zh: str = Field(max_length=80)
    en: str = Field(default="", max_length=120)
    lon: float
    lat: float
    source: str = ""
    active_from: date = date(2000, 1, 1)
    active_to: date | None = None


class Section(_Place):
    target: Literal["Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ", "Ⅴ"]


class Station(_Place):
    mn: str
    target: Literal["", "Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ", "Ⅴ"] = ""


class Outfall(_Place):
    mn: str = ""
    organisation: str = ""
    permit_no: str = ""
    #: factors of its permit; leave out when no permit is known
    factors: tuple[str, ...] | None = None
    standard: str = ""
    grade: str = ""
    limits: tuple[LimitLine, ...] = ()


class Tributary(_Place):
    river: str = ""


class RiverSpec(_Strict):
    code: str = Field(pattern=r"^[A-Z0-9]{2,20}$")
    zh: str
    en: str
    names: tuple[str, ...] = ()
    schematic: bool
    source: str
    #: corners downstream, `[lon, lat]` or, where the table of marks names them, `[lon, lat, km]`
    line: tuple[tuple[float, float] | tuple[float, float, float], ...]
    stretches: tuple[Stretch, ...] = Field(min_length=1)
    flow: tuple[Flow, ...] = ()
    sections: tuple[Section, ...] = ()
    stations: tuple[Station, ...] = ()
    outfalls: tuple[Outfall, ...] = ()
    tributaries: tuple[Tributary, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> RiverSpec:
        line = self.drawn()
        at = line.from_km
        for stretch in sorted(self.stretches, key=lambda s: s.from_km):
            if abs(stretch.from_km - at) > 1e-6 or stretch.to_km <= stretch.from_km:
                raise ValueError(f"河段须首尾相接：{at:g} km 之后是 {stretch.from_km:g}–{stretch.to_km:g} km")
            at = stretch.to_km
        if abs(at - line.to_km) > 1e-6:
            raise ValueError(f"河段止于 {at:g} km，河线止于 {line.to_km:g} km")
        return self

    def drawn(self) -> RiverLine:
        return drawn(self.line)

    def places(self) -> Iterator[tuple[str, _Place]]:
        """(kind, place) of everything that stands on it."""
        for kind, places in (
            ("section", self.sections),
            ("station", self.stations),
            ("outfall", self.outfalls),
            ("tributary", self.tributaries),
        ):
            for place in places:
                yield kind, place


class Register(_Strict):
    rivers: tuple[RiverSpec, ...] = Field(min_length=1)


class RegisterRefused(Exception):
    """Nothing was registered; ``problems`` names every place that must be mended."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def drawn(points: object) -> RiverLine:
    """The line of ``[[lon, lat, km], [lon, lat], …]``; raises ``ValueError`` when it is none."""
    assert isinstance(points, list | tuple)  # noqa: S101  checked by the spec, or read from what it checked
    return RiverLine(tuple(Mark(p[0], p[1], p[2] if len(p) > 2 else None) for p in points))


def read(text: str, *, name: str) -> Register:
    """The register in ``text``; raises ``RegisterRefused`` naming file and key of every problem."""
    try:
        return Register.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise RegisterRefused([Problem(name, f"不是 YAML：{error}", "改正后重新登记；本次未写入")]) from error
    except ValidationError as error:
        raise RegisterRefused(faults(error, name)) from error


#: kind of fault → what people read
_SAID = {
    "string_type": "应为文字；纯数字的编号请加引号",
    "missing": "缺少这一项",
    "extra_forbidden": "没有这一项；请核对拼写",
}


def faults(error: ValidationError, name: str) -> list[Problem]:
    """One problem a fault, with file and key; a list that is short only because its members have faults is none."""
    found = error.errors()
    places = [fault["loc"] for fault in found]
    return [
        Problem(
            f"{name} → {'.'.join(str(part) for part in fault['loc'])}",
            _SAID.get(fault["type"], fault["msg"].removeprefix("Value error, ")),
            "改正后重新登记；本次未写入",
        )
        for fault in found
        if not any(other != fault["loc"] and other[: len(fault["loc"])] == fault["loc"] for other in places)
    ]
