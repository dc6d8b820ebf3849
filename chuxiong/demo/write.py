"""Writes the demo prefecture: agencies' files, the order of their delivery, and the planted truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from chuxiong.demo.children import cast_children
from chuxiong.demo.files import Deliveries
from chuxiong.demo.outfalls import Outlets, cast_outfalls, write_outfalls
from chuxiong.demo.pension import Register, cast_deaths, write_funeral, write_payments, write_police
from chuxiong.demo.people import Population
from chuxiong.demo.plan import load_plan
from chuxiong.demo.recovery import Docket, cast_recovery, write_recovery
from chuxiong.demo.refusals import cast_refusals
from chuxiong.demo.river import Patrols, cast_river, write_river
from chuxiong.demo.serving import cast_serving, write_serving
from chuxiong.demo.sham import cast_sham
from chuxiong.demo.spheres.courts import write_courts
from chuxiong.demo.spheres.environment import write_environment
from chuxiong.demo.spheres.labour import write_labour
from chuxiong.demo.spheres.police import write_police as write_cases
from chuxiong.demo.spheres.property import write_property
from chuxiong.demo.spheres.public import write_public
from chuxiong.demo.spheres.trade import write_trade
from chuxiong.demo.spheres.welfare import write_welfare
from chuxiong.demo.truth import Truth
from chuxiong.demo.wages import Market, cast_wages, write_wages
from chuxiong.demo.water import write_water
from chuxiong.demo.world import World

#: what later parts rest on comes first: accidents before settlements, leases before contracts, fines before taxes
_SPHERES: tuple[Callable[[World, Deliveries], None], ...] = (
    write_cases, write_courts, write_trade, write_property, write_labour, write_welfare, write_environment, write_public,
)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """What was written. ``rows``: data rows in all files (page files that cannot be read count none)."""

    scale: str
    seed: int
    today: date
    rows: int
    files: int
    by_feed: dict[str, int] = field(default_factory=dict)
    truth: dict[str, dict[str, int]] = field(default_factory=dict)
    defects: dict[str, int] = field(default_factory=dict)
    planned: dict[str, dict[str, int]] = field(default_factory=dict)


def write_spheres(world: World, files: Deliveries) -> None:
    for sphere in _SPHERES:
        sphere(world, files)


def write(scale: str, seed: int, out: Path, today: date) -> Summary:
    """Write the files of three days (0: all until now, 1 and 2: what follows) below ``out``.

    The same (scale, seed, today) gives the same bytes. Raises ``ValueError`` for an unknown scale and
    ``FileExistsError`` when ``out`` holds anything already.
    """
    plan = load_plan(scale, seed)
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out}: 目录不是空的；请换一个目录，或先清空它")
    out.mkdir(parents=True, exist_ok=True)
    truth = Truth()
    files = Deliveries(plan, out, today, truth)
    people = Population(plan, today)
    register = Register(plan, people, today, truth)
    cast_deaths(register)
    cast_children(register)
    serving, corrected = cast_serving(register)
    market = Market(plan, people, today, truth)
    cast_wages(market)
    cast_sham(market)
    docket = Docket(plan, people, today, truth)
    cast_recovery(docket)
    cast_refusals(docket)
    write_police(register, files)
    write_funeral(register, files)
    write_payments(register, files)
    offenders = write_serving(register, files, serving, corrected)
    write_wages(market, files)
    write_recovery(docket, files)
    patrols = Patrols(plan, today, truth)
    cast_river(patrols)
    write_river(patrols, files)
    outlets = Outlets(plan, today, truth)
    cast_outfalls(outlets)
    write_outfalls(outlets, files)
    write_water(outlets, files)
    write_spheres(World(plan, people, today, truth, register, market, docket, outlets, offenders), files)
    count = files.write_manifest()
    truth.write(out)
    return Summary(
        scale,
        seed,
        today,
        sum(files.rows.values()),
        count,
        dict(files.rows),
        truth.classes(),
        truth.defect_counts(),
        truth.planned_counts(),
    )
