"""Scenes as data: which panels stand where, what they need, how small their type gets. Pure.

One file a scene (``scenes/*.yaml``). A layout is a grid in units of the canvas; the first whose conditions hold for a
screen is taken, so the same scene fills 16:9 and 32:9.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

FOLDER = Path(__file__).with_name("scenes")
#: what a panel draws → the blocks of data that it draws from (``walls.blocks``)
PANELS: dict[str, tuple[str, ...]] = {
    "funnel": ("funnel",),
    "map": ("counties", "funnel"),
    "counties": ("counties", "funnel"),
    "stages": ("stages",),
    "latest": ("latest",),
    "alarms": ("alarms",),
    "alarm_counties": ("alarms",),
    "feed_list": ("feeds",),
    "feed_grid": ("feeds",),
    "feed_sum": ("feeds",),
    "landings": ("landings",),
    "river": ("river", "cameras"),
    "river_here": ("river", "cameras"),
    "river_counts": ("river",),
    "sections": ("river",),
    "series": ("water",),
    "exceedance_days": ("exceedance",),
    "exceedance_factors": ("exceedance",),
    "tiles": ("cameras",),
    "flow": ("flow", "stages", "funnel"),
    "flow_days": ("flow",),
    "flow_levels": ("flow",),
    "origins": ("flow",),
    "models": ("models",),
    "domains": ("models",),
    "recovery_sum": ("losses",),
    "recovery_months": ("losses",),
    "recovery_counties": ("losses",),
    "recovery_seized": ("losses",),
    "recovery_results": ("results",),
    "wage_sum": ("wages",),
    "wage_months": ("wages",),
    "wage_counties": ("wages",),
    "wage_industries": ("wages",),
    "wage_sites": ("wages",),
    "wage_results": ("results",),
    "pairs": ("pairs",),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Panel(_Strict):
    """``area`` names its place in the grids; ``bare`` panels have no head and no frame."""

    kind: str
    area: str = Field(pattern=r"^[a-z][a-z_]*$")
    zh: str = ""
    en: str = ""
    note_zh: str = ""
    note_en: str = ""
    bare: bool = False

    @model_validator(mode="after")
    def _known(self) -> Panel:
        if self.kind not in PANELS:
            raise ValueError(f"没有名为 {self.kind} 的面板（可用：{'、'.join(PANELS)}）")
        if not self.bare and not (self.zh and self.en):
            raise ValueError(f"面板 {self.area} 缺少标题 zh、en")
        return self


class Layout(_Strict):
    """``aspect_from``: width over height; ``scale_from``: how much larger the type is than drawn."""

    aspect_from: float = 0.0
    scale_from: float = 0.0
    columns: str
    rows: str
    areas: tuple[str, ...]

    @property
    def named(self) -> set[str]:
        return {name for row in self.areas for name in row.split() if name != "."}


class Scene(_Strict):
    code: str = Field(pattern=r"^[a-z][a-z_]{1,39}$")
    order: int
    zh: str
    en: str
    about_zh: str
    about_en: str
    #: feeds whose age says how old the scene is; empty: the centre's own records
    feeds: tuple[str, ...] = ()
    #: size of the smallest type, in units of the canvas
    smallest: int = Field(ge=18)
    #: seconds in a playlist unless it says otherwise
    seconds: int = Field(default=45, ge=5)
    panels: tuple[Panel, ...]
    layouts: tuple[Layout, ...]

    @model_validator(mode="after")
    def _fits(self) -> Scene:
        areas = {panel.area for panel in self.panels}
        if len(areas) != len(self.panels):
            raise ValueError("两个面板用了同一个位置 area")
        for layout in self.layouts:
            if unknown := layout.named - areas:
                raise ValueError(f"布局里的 {'、'.join(sorted(unknown))} 没有面板")
            widths = {len(row.split()) for row in layout.areas}
            if len(widths) != 1:
                raise ValueError("布局各行的格数不同")
        if not any(not layout.aspect_from and not layout.scale_from for layout in self.layouts):
            raise ValueError("最后要有一个不带条件的布局")
        return self

    @property
    def blocks(self) -> frozenset[str]:
        """The blocks of data that the scene draws from."""
        return frozenset(block for panel in self.panels for block in PANELS[panel.kind])

    @property
    def cameras(self) -> bool:
        return "cameras" in self.blocks


class SceneRefused(Exception):
    """A scene's file cannot be used: which, where and why."""


@lru_cache(maxsize=1)
def scenes() -> dict[str, Scene]:
    """Every scene by its code, in the order of their numbers."""
    found: dict[str, Scene] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        scene = read(path.read_text(encoding="utf-8"), path.name)
        if scene.code in found or f"{scene.code}.yaml" != path.name:
            raise SceneRefused(f"{path.name}：code 与文件名不同或重复 / code and file name differ")
        found[scene.code] = scene
    return dict(sorted(found.items(), key=lambda pair: pair[1].order))


def read(text: str, name: str) -> Scene:
    """One scene; raises ``SceneRefused`` naming the file and the key."""
    try:
        return Scene.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise SceneRefused(f"{name}：{error}") from error


def plain(scene: Scene, *, english: bool) -> dict[str, Any]:
    """What the drawing side needs of a scene, in one language."""
    return {
        "code": scene.code,
        "title": scene.en if english else scene.zh,
        "feeds": list(scene.feeds),
        "panels": [
            {
                "kind": p.kind,
                "area": p.area,
                "title": p.en if english else p.zh,
                "note": p.note_en if english else p.note_zh,
                "bare": p.bare,
            }
            for p in scene.panels
        ],
        "layouts": [layout.model_dump() for layout in scene.layouts],
    }
