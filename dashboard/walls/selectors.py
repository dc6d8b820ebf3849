"""What the console reads: every screen of the person's offices with what it shows and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from dashboard.models import Interrupt, Playlist, Schedule, Screen, ScreenHealth, Switch, Visit, WallGroup
from dashboard.walls import device
from dashboard.walls.legibility import reading
from dashboard.walls.programme import Piece
from dashboard.walls.spec import scenes
from dashboard.walls.switching import alive, ms


@dataclass(frozen=True)
class ScreenRow:
    """``state`` is live, drifting, gone, unpaired or off."""

    screen: Screen
    health: ScreenHealth | None
    state: str
    piece: Piece
    following: Piece | None
    legible: bool
    needed_units: float
    acknowledged: bool


@dataclass(frozen=True)
class VisitState:
    """Safe only when every screen that is in service has said that its mask is on."""

    visit: Visit
    expected: tuple[str, ...]
    acknowledged: tuple[str, ...]
    kept_back: int

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(code for code in self.expected if code not in self.acknowledged)

    @property
    def safe(self) -> bool:
        return not self.missing


@dataclass(frozen=True)
class Console:
    rows: tuple[ScreenRow, ...]
    groups: tuple[WallGroup, ...]
    playlists: tuple[Playlist, ...]
    schedules: tuple[Schedule, ...]
    visit: VisitState | None
    interrupts: tuple[Interrupt, ...]
    last: Switch | None
    spread_ms: float | None


#: beyond it a screen visibly lags behind its neighbours
DRIFT_MS = 40.0


def console(person: Person, *, at: datetime) -> Console:
    """Everything of the person's own walls at one moment."""
    with person_scope(person):
        rows = tuple(_row(s, at) for s in Screen.objects.select_related("group", "health", "state"))
        visit = Visit.objects.filter(office=person.office_id, ended_at=None).first()
        last = Switch.objects.order_by("-pk").first()
        drifts = [
            r.health.drift_ms
            for r in rows
            if last and r.health and r.health.switch == last.pk and r.health.drift_ms is not None
        ]
        return Console(
            rows,
            tuple(WallGroup.objects.all()),
            tuple(Playlist.objects.all()),
            tuple(Schedule.objects.select_related("group", "playlist")),
            _visit(visit, rows) if visit else None,
            tuple(Interrupt.objects.filter(office=person.office_id, ends__gt=at)),
            last,
            max(drifts) - min(drifts) if len(drifts) > 1 else None,
        )


def _row(screen: Screen, at: datetime) -> ScreenRow:
    health = getattr(screen, "health", None)
    pieces, _switch, visit = device.timeline(screen, at=at)
    if not screen.in_service:
        state = "off"
    elif not screen.paired:
        state = "unpaired"
    elif not alive(health, at):
        state = "gone"
    elif health and health.drift_ms is not None and abs(health.drift_ms) > DRIFT_MS:
        state = "drifting"
    else:
        state = "live"
    shown = scenes().get(pieces[0].scene)
    found = reading(
        height_px=screen.height_px,
        pitch_mm=screen.pitch_mm,
        distance_m=screen.distance_m,
        smallest_units=shown.smallest if shown else 20,
    )
    return ScreenRow(
        screen,
        health,
        state,
        pieces[0],
        pieces[1] if len(pieces) > 1 else None,
        found.legible,
        found.needed_units,
        bool(visit and health and health.visit == visit),
    )


def _visit(visit: Visit, rows: tuple[ScreenRow, ...]) -> VisitState:
    expected = [
        r for r in rows if r.screen.office == visit.office and r.screen.in_service and r.screen.paired
    ]
    return VisitState(
        visit,
        tuple(r.screen.code for r in expected),
        tuple(r.screen.code for r in expected if r.acknowledged),
        Interrupt.objects.filter(office=visit.office, begins=None, made_at__gte=visit.began_at).count(),
    )


def plain(found: Console, *, at: datetime, english: bool) -> dict[str, Any]:
    """The same as JSON, for the page's script and for other programs."""
    now = ms(at)
    return {
        "now": now,
        "screens": [_plain_row(row, now, english) for row in found.rows],
        "visit": None
        if found.visit is None
        else {
            "since": found.visit.visit.began_at.isoformat(),
            "safe": found.visit.safe,
            "acknowledged": len(found.visit.acknowledged),
            "expected": len(found.visit.expected),
            "missing": list(found.visit.missing),
            "kept_back": found.visit.kept_back,
        },
        "interrupts": [
            {
                "id": row.pk, "scene": row.scene, "title": row.title_en if english else row.title_zh,
                "since": ms(row.begins) if row.begins else None, "until": ms(row.ends) if row.ends else None,
            }
            for row in found.interrupts
        ],
        "switch": None
        if found.last is None
        else {
            "id": found.last.pk,
            "at": ms(found.last.apply_at or found.last.latest),
            "ready": len(set(found.last.ready) & set(found.last.expected)),
            "expected": len(found.last.expected),
            "spread_ms": None if found.spread_ms is None else round(found.spread_ms, 1),
        },
    }  # fmt: skip


def _plain_row(row: ScreenRow, now: int, english: bool) -> dict[str, Any]:
    health, shown = row.health, scenes().get(row.piece.scene)
    return {
        "code": row.screen.code,
        "name": row.screen.name_en if english else row.screen.name_zh,
        "group": row.screen.group.code,
        "width": row.screen.width_px,
        "height": row.screen.height_px,
        "state": row.state,
        "scene": row.piece.scene,
        "title": (shown.en if english else shown.zh) if shown else "",
        "why": row.piece.why,
        "until": row.piece.until,
        "next": row.following.scene if row.following else "",
        "next_at": row.following.since if row.following else None,
        "shown": health.scene if health else "",
        "seen": ms(health.seen_at) if health else None,
        "data_at": ms(health.data_at) if health and health.data_at else None,
        "drift_ms": round(health.drift_ms, 1) if health and health.drift_ms is not None else None,
        "problems": list(health.problems) if health else [],
        "legible": row.legible,
        "needed": row.needed_units,
        "acknowledged": row.acknowledged,
    }
