"""Bringing a file in by hand: upload, which feed, which columns, a look at the rows, import. Translate, one call, translate."""

from __future__ import annotations

from datetime import date
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed, ask, confirmed, said
from dashboard.desk.page import page, person, pick
from dashboard.imports.preview import drawn
from dashboard.imports.words import LOOK, state_of
from ingestion import selectors as ingestion
from ingestion.imports import actions, selectors
from ingestion.imports.bounds import bounds
from ingestion.models import ManualImport

State = ManualImport.State
#: states in which the page asks for news by itself
_MOVING = {"checking", "queued", "handed", "received", "reading"}


@allowed("batch.import")
@require_safe
def imports(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("page", "1")
    number = int(asked) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 6 else 1
    found, total = selectors.imports_page(person(request), max(1, number))
    context = {
        "rows": [(m, _title(m.feed), *_state(m)) for m in found],
        "total": total,
        "page": number,
        "pages": max(1, -(-total // selectors.PAGE)),
        "previous": number - 1,
        "following": number + 1,
    }
    return page(request, "imports/list.html", "imports", context)


def _state(manual: ManualImport) -> tuple[str, str]:
    code, words = state_of(manual)
    return LOOK.get(code, "reading"), words


def _title(feed: str) -> str:
    spec = ingestion.catalog().get(feed)
    return pick(spec.title.zh, spec.title.en) if spec else ""


def _feeds() -> list[dict[str, Any]]:
    """Every feed with its agency, grouped in the list's order; those without an agreement say so."""
    refused = selectors.refusals()
    return [
        {
            "code": feed.code,
            "title": pick(feed.title.zh, feed.title.en),
            "agency": pick(feed.agency.zh, feed.agency.en),
            "refused": refused.get(feed.code, ""),
        }
        for feed in ingestion.catalog().values()
    ]


@allowed("batch.import")
def new(request: HttpRequest) -> HttpResponse:
    refused, feed = "", request.POST.get("feed", request.GET.get("feed", ""))
    if request.method == "POST":
        file = request.FILES.get("file")
        if file is None:
            refused = _("请先选择文件")
        else:
            try:
                made = actions.upload(
                    cast(BinaryIO, file.file), size=file.size or 0, file_name=file.name or "", feed=feed, by=person(request), at=timezone.now()
                )  # fmt: skip
            except Refused as error:
                refused = said(error)
            else:
                return redirect("imports:import", manual=made.pk)
    # The server may be set to take less; the form's own fields need some room, too.
    most = min(bounds().upload_bytes, settings.REQUEST_BODY_MAX - (1 << 20))
    context = {
        "feeds": _feeds(),
        "feed": feed,
        "refused": refused,
        "most": most,
        "most_mb": most >> 20,
        "keep_days": bounds().keep_hours // 24,
    }
    return page(request, "imports/new.html", "imports", context, 400 if refused else 200)


@allowed("batch.import")
@require_safe
def manual_import(request: HttpRequest, manual: int) -> HttpResponse:
    return _page(request, manual)


def _page(
    request: HttpRequest, manual: int, *, refused: str = "", typed: list[str] | None = None, status: int = 200
) -> HttpResponse:
    who = person(request)
    found = selectors.import_of(who, manual)
    if found is None:
        raise Http404
    look, words = _state(found)
    context: dict[str, Any] = {
        "import": found,
        "title": _title(found.feed),
        "look": look,
        "words": words,
        "own": found.by == who.username,
        "steps": _steps(found),
        "can_cancel": found.state in actions.OPEN and state_of(found)[0] not in ("landed", "refused"),
        "refused": refused,
        "needed": bounds().alias_uses,
        "may_release": who.may("batch.release"),
        **_news(found),
    }
    if found.state in (State.CHOOSING, *actions.CHECKED):
        document = actions.open_preview(found, by=who, at=timezone.now())
        if document is not None:
            context |= drawn(found, document, typed)
    if found.state in (State.CHOOSING, State.CHECKING, *actions.CHECKED):
        context["feeds"] = _feeds()
    if found.batch_id and state_of(found)[0] in ("landed", "held", "refused", "repeated"):
        context["receipt"] = selectors.receipt_of(who, found.batch_id)
    return page(request, "imports/import.html", "imports", context, status)


def _news(found: ManualImport) -> dict[str, Any]:
    code, words = state_of(found)
    return {
        "import": found,
        "code": code,
        "stage": words,
        "moving": code in _MOVING,
        "speed": selectors.speed(found),
    }


def _steps(found: ManualImport) -> list[dict[str, Any]]:
    """Upload, check, import, receipt: each done, now or ahead."""
    code = state_of(found)[0]
    at = {"checking": 1, "choosing": 1, "ready": 1, "unreadable": 1, "stopped": 2, "queued": 2, "handed": 2,
          "received": 2, "reading": 2, "held": 2, "refused": 2, "cancelled": 2 if found.started_at else 1,
          "expired": 1, "repeated": 3, "landed": 4}[code]  # fmt: skip
    words = [_("上传文件"), _("对应与检查"), _("导入"), _("回执")]
    return [{"words": w, "mark": "done" if i < at else "now" if i == at else ""} for i, w in enumerate(words)]


@allowed("batch.import")
@require_safe
def progress(request: HttpRequest, manual: int) -> HttpResponse:
    """How far it is, for the page's own asking; no data of the file."""
    found = selectors.import_of(person(request), manual)
    if found is None:
        raise Http404
    return render(request, "imports/parts/progress.html", _news(found))


@allowed("batch.import")
@require_POST
def act(request: HttpRequest, manual: int, act: str) -> HttpResponse:
    post, who, now = request.POST, person(request), timezone.now()
    revision = post.get("revision", "")
    number = int(revision) if revision.isascii() and revision.isdigit() and len(revision) < 9 else 0
    typed: list[str] | None = None
    found = selectors.import_of(who, manual)
    if found is None:
        raise Http404
    try:
        match act:
            case "feed":
                actions.choose_feed(manual, feed=post.get("feed", ""), by=who, at=now)
            case "columns":
                typed = [v[:60] for v in post.getlist("column")]
                actions.choose_columns(manual, choices=typed, revision=number, by=who, at=now)
            case "start" if post.get("snapshot") and not confirmed(request):
                # Whatever the file lacks ends: that is asked once more.
                return ask(
                    request,
                    "imports",
                    title=_("按全量导入？"),
                    consequence=_(
                        "数据池里有、文件里没有的记录将在这次入库时终止，相关线索会随之更正；被隔离的 %(n)s 行仍算在文件里，其原有记录不终止；有一行读不出主键的，全部不终止。"
                    )
                    % {"n": found.tally.get("quarantined", 0)},
                    verb=_("按全量导入"),
                    back=reverse("imports:import", args=[manual]),
                )
            case "start":
                covers, wrong = _day(post.get("covers_until", ""))
                if wrong:
                    raise Refused(
                        "“数据截至”无法识别，请写成 2026-11-05", "“covers until” is no date; write 2026-11-05"
                    )
                actions.start(
                    manual,
                    revision=number,
                    by=who,
                    at=now,
                    covers_until=covers,
                    snapshot=bool(post.get("snapshot")),
                    remember=bool(post.get("remember")),
                )
            case "cancel":
                actions.cancel(manual, by=who, at=now)
                messages.success(request, _("已取消，数据池未变。"))
            case "release":
                actions.release(manual, by=who, reason=post.get("reason", ""))
                messages.success(request, _("已放行，正在入库。"))
            case _:
                raise Http404
    except Refused as error:
        return _page(request, manual, refused=said(error), typed=typed, status=409)
    return redirect("imports:import", manual=manual)


def _day(text: str) -> tuple[date | None, bool]:
    try:
        return (date.fromisoformat(text) if text else None), False
    except ValueError:
        return None, True


# ---- aliases --------------------------------------------------------------------------------------


@allowed("batch.import")
@require_safe
def aliases(request: HttpRequest) -> HttpResponse:
    return _aliases(request)


def _aliases(request: HttpRequest, refused: str = "", status: int = 200) -> HttpResponse:
    catalog = ingestion.catalog()
    lines = []
    for alias in selectors.aliases():
        feed = catalog.get(alias.feed)
        column = next((c for c in feed.columns if c.name == alias.column), None) if feed else None
        lines.append((alias, _title(alias.feed), pick(column.zh, column.en) if column else alias.column))
    context = {"lines": lines, "needed": bounds().alias_uses, "refused": refused}
    return page(request, "imports/aliases.html", "imports", context, status)


@allowed("batch.import")
@require_POST
def withdraw(request: HttpRequest, alias: int) -> HttpResponse:
    try:
        gone = actions.withdraw_alias(
            alias, by=person(request), at=timezone.now(), reason=request.POST.get("reason", "")
        )
    except Refused as error:
        return _aliases(request, said(error), 409)
    messages.success(request, _("已撤销别名“%(header)s”。") % {"header": gone.header})
    return redirect("imports:aliases")
