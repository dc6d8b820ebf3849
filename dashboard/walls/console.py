"""The console (指挥台): who controls the walls sees every screen and acts on several at once; all of it also as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts.models import Person
from dashboard.accounts.page import allowed
from dashboard.desk.page import english, page, person, pick
from dashboard.models import Screen
from dashboard.walls import blocks, interrupts, playlists, registry, selectors, switching
from dashboard.walls.refused import WallRefused
from dashboard.walls.spec import scenes
from dashboard.walls.views import _frame


@allowed(registry.PERMISSION)
@require_safe
def console(request: HttpRequest) -> HttpResponse:
    at, who = timezone.now(), person(request)
    found = selectors.console(who, at=at)
    groups = [(g, [r for r in found.rows if r.screen.group_id == g.pk]) for g in found.groups]
    context = _frame() | {
        "found": found,
        "groups": [(g, rows) for g, rows in groups if rows],
        "scenes": [
            {"code": s.code, "title": pick(s.zh, s.en), "about": pick(s.about_zh, s.about_en)}
            for s in scenes().values()
        ],
        "lists": [(p, [_turn(item) for item in p.items]) for p in found.playlists],
        "now": selectors.plain(found, at=at, english=english()),
        "labels": {
            "live": _("正常"),
            "drifting": _("漂移大"),
            "gone": _("离线"),
            "unpaired": _("未配对"),
            "off": _("已停用"),
            "blank": _("已熄屏"),
            "why": {
                "scene": _("指定场景"),
                "held": _("已保持"),
                "playlist": _("轮播"),
                "schedule": _("按时间表"),
                "blank": _("熄屏"),
                "interrupt": _("插播中"),
            },
            "data": _("数据"),
            "drift": _("漂移 # 毫秒"),
            "noDrift": _("尚未切换"),
            "seconds": _("剩 # 秒"),
            "ago": _("离线 # 分"),
            "never": _("从未连接"),
            "frozen": _("最后画面 #"),
            "small": _("文字偏小"),
            "summary": _("# 块屏，% 块在线"),
            "spread": _("最近一次切换 #，最大相差 % 毫秒"),
            "chosen": _("已选 # 块屏"),
            "safe": _("参观模式：安全"),
            "waiting": _("参观模式：等待确认"),
            "acked": _("# / % 块已确认"),
            "missing": _("未确认：#。未全部确认，不显示“安全”。"),
            "allAcked": _("每块屏都已遮蔽明细，插播不会上屏。"),
            "kept": _("已留下 # 条插播"),
            "failed": _("没有完成，请检查网络后重试"),
            "choose": _("请先选择屏幕"),
        },
    }
    return page(request, "walls/console.html", "walls", context)


def _turn(item: Mapping[str, Any]) -> dict[str, Any]:
    scene = scenes().get(item["scene"])
    return {"title": pick(scene.zh, scene.en) if scene else item["scene"], "seconds": item["seconds"]}


@allowed(registry.PERMISSION)
@require_safe
def now(request: HttpRequest) -> JsonResponse:
    at = timezone.now()
    return JsonResponse(selectors.plain(selectors.console(person(request), at=at), at=at, english=english()))


@allowed(registry.PERMISSION)
@require_safe
def data(request: HttpRequest, scene: str) -> HttpResponse:
    """What a thumbnail is drawn from: the very blocks that the screens get."""
    if scene not in scenes():
        raise Http404
    visit = selectors.console(person(request), at=timezone.now()).visit
    text = blocks.text(
        scenes()[scene].blocks, scene=scene, visitors=visit is not None, since=time.monotonic() - 10
    )
    return HttpResponse(text, content_type="application/json")


def _said(request: HttpRequest) -> dict[str, Any]:
    if request.content_type == "application/json":
        try:
            found = json.loads(request.body)
        except ValueError as error:
            raise WallRefused(400, "请求不是 JSON", "the request is not JSON") from error
        if not isinstance(found, dict):
            raise WallRefused(400, "请求应为 JSON 对象", "the request must be a JSON object")
        return found
    return {
        "screens": request.POST.getlist("screens"),
        **{k: v for k, v in request.POST.items() if k != "screens"},
    }


def _screens(said: Mapping[str, Any], who: Person) -> list[str]:
    """Screens named one by one or by their group."""
    found = said.get("screens") or []
    if not isinstance(found, list):
        raise WallRefused(400, "screens 应为编号的列表", "screens must be a list of codes")
    codes = [str(code) for code in found]
    if group := str(said.get("group") or ""):
        rows = selectors.console(who, at=timezone.now()).rows
        codes += [r.screen.code for r in rows if r.screen.group.code == group and r.screen.code not in codes]
    return codes


def _seconds(said: Mapping[str, Any]) -> int:
    try:
        return int(said.get("seconds") or 60)
    except (TypeError, ValueError) as error:
        raise WallRefused(400, "秒数应为整数", "seconds must be a whole number") from error


def _do(act: str, said: dict[str, Any], who: Person) -> dict[str, Any]:
    at = timezone.now()
    if act in ("show", "play", "schedule", "hold", "blank", "resume"):
        wanted = _screens(said, who)
        if act == "show":
            params = said.get("params") if isinstance(said.get("params"), dict) else {}
            made = switching.show(
                by=who, screens=wanted, scene=str(said.get("scene", "")), params=params, at=at
            )
        elif act == "play":
            made = switching.play(by=who, screens=wanted, playlist=str(said.get("playlist", "")), at=at)
        else:
            does = {
                "schedule": switching.by_schedule, "hold": switching.hold, "blank": switching.blank,
                "resume": switching.resume,
            }[act]  # fmt: skip
            made = does(by=who, screens=wanted, at=at)
        return {"switch": made.pk, "latest": switching.ms(made.latest), "expected": len(made.expected)}
    if act == "interrupt":
        title = str(said.get("title") or "") or _("插播")
        made_one = interrupts.interrupt(
            by=who, scene=str(said.get("scene", "")), seconds=_seconds(said), zh=title, at=at
        )
        return {"interrupt": made_one.pk}
    if act == "end-interrupts":
        return {"ended": interrupts.end_interrupts(by=who, at=at)}
    if act == "begin-visit":
        return {"visit": interrupts.begin_visit(by=who, at=at).pk}
    if act == "end-visit":
        return {"visit": interrupts.end_visit(by=who, at=at).pk}
    if act == "save-playlist":
        made_list = playlists.save_playlist(
            by=who, code=str(said.get("code", "")), zh=str(said.get("zh", "")), en=str(said.get("en", "")),
            items=said.get("items"), at=at,
        )  # fmt: skip
        return {"playlist": made_list.code}
    if act == "save-schedule":
        entries = said.get("entries")
        if not isinstance(entries, list):
            raise WallRefused(400, "entries 应为列表", "entries must be a list")
        rows = playlists.save_schedule(by=who, group=str(said.get("group", "")), entries=entries, at=at)
        return {"entries": len(rows)}
    raise Http404


ACTS = (
    "show", "play", "schedule", "hold", "blank", "resume", "interrupt", "end-interrupts", "begin-visit", "end-visit",
    "save-playlist", "save-schedule",
)  # fmt: skip


@allowed(registry.PERMISSION)
@require_POST
def act(request: HttpRequest, act: str) -> JsonResponse:
    """One act on the walls. JSON in, JSON out; a refusal says what is wrong and what to do."""
    if act not in ACTS:
        raise Http404
    try:
        return JsonResponse(_do(act, _said(request), person(request)))
    except WallRefused as refused:
        return JsonResponse({"why": pick(refused.zh, refused.en)}, status=refused.status)


@allowed(registry.PERMISSION)
def screens(request: HttpRequest) -> HttpResponse:
    """The register: screens with their size, place and pairing; a form for a new one."""
    at, who, why, status = timezone.now(), person(request), "", 200
    if request.method == "POST":
        try:
            if request.POST.get("what") == "group":
                registry.save_group(
                    by=who, code=request.POST.get("code", ""), zh=request.POST.get("name_zh", ""),
                    en=request.POST.get("name_en", ""), at=at,
                )  # fmt: skip
            else:
                registry.save_screen(
                    by=who, code=request.POST.get("code", ""), group=request.POST.get("group", ""),
                    fields={k: str(v) for k, v in request.POST.items()}, at=at,
                )  # fmt: skip
            messages.success(request, _("已保存"))
            return redirect("walls:screens")
        except WallRefused as refused:
            why, status = pick(refused.zh, refused.en), refused.status
    elif request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405)
    found = selectors.console(who, at=at)
    context = {
        "found": found, "why": why, "filled": request.POST if why else {}, "languages": Screen.Language.choices,
    }  # fmt: skip
    return page(request, "walls/screens.html", "walls", context, status)


_SCREEN_ACTS = ("pair", "unpair", "off", "on")


@allowed(registry.PERMISSION)
@require_POST
def screen(request: HttpRequest, code: str, act: str) -> HttpResponse:
    """Pair a player, cut it off, take a screen out of service or back."""
    at, who = timezone.now(), person(request)
    if act not in _SCREEN_ACTS:
        raise Http404
    try:
        if act == "pair":
            registry.pair(by=who, screen=code, code=request.POST.get("code", ""), at=at)
            messages.success(request, _("已绑定，屏幕几秒内自行接入"))
        elif act == "unpair":
            registry.unpair(by=who, code=code, at=at)
            messages.success(request, _("已解除配对"))
        else:
            registry.set_service(by=who, code=code, on=act == "on", at=at)
            messages.success(request, _("已启用") if act == "on" else _("已停用"))
    except WallRefused as refused:
        messages.error(request, pick(refused.zh, refused.en))
    return redirect("walls:screens")
