"""Who or what is called so: search by name and address. Asked by POST, so that no name stands in an address or a log."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from dashboard.accounts.page import allowed
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from dashboard.desk.page import pick
from ingestion import selectors as ingestion
from supervision.identity.search import KINDS
from supervision.naming import selectors as naming

_LONGEST, _SHORTEST, _LONGEST_REASON = 60, 2, 200


@allowed("clue.read")
@require_http_methods(["GET", "HEAD", "POST"])
def names(request: HttpRequest) -> HttpResponse:
    """The form; a POST shows what is called so, or nearly so."""
    words = {"organisation": _("单位或企业"), "person": _("个人"), "address": _("地址")}
    typed = {"kind": "organisation", "text": "", "reason": ""}
    wrong, results = "", None
    if request.method == "POST":
        typed = {name: " ".join(request.POST.get(name, "").split()) for name in typed}
        wrong = _wrong(typed)
        if not wrong:
            kind = next(k for k in KINDS if k == typed["kind"])
            results = naming.search(
                person_of(request), kind, typed["text"], reason=typed["reason"], at=timezone.now()
            )
    catalog = ingestion.catalog()
    rows = [
        {
            "found": found,
            "likeness": int(found.likeness * 100),
            "others": [w for w in found.spellings if w != found.name][:4],
            "feeds": [pick(catalog[f].title.zh, catalog[f].title.en) for f in found.feeds if f in catalog],
        }
        for found in (results.found if results else [])
    ]
    context = {
        "kinds": [(kind, words[kind]) for kind in KINDS],
        "typed": typed,
        "wrong": wrong,
        "asked": results is not None,
        "rows": rows,
        "more": bool(results and results.more),
        "longest": _LONGEST,
        "longest_reason": _LONGEST_REASON,
    }
    return page_of(request, "desk/names.html", "names", context, 409 if wrong else 200)


def _wrong(typed: dict[str, str]) -> str:
    if typed["kind"] not in KINDS:
        return _("请选择查单位、个人或地址。")
    if not _SHORTEST <= len(typed["text"]) <= _LONGEST:
        return _("请输入 2 至 60 个字的名称或地址。")
    if any(c.isdigit() for c in typed["text"]) and typed["kind"] == "person":
        return _("这里按姓名查找，不按号码；请只输入姓名。")
    if len(typed["reason"]) > _LONGEST_REASON:
        return _("事由请在 200 字以内。")
    if typed["kind"] == "person" and not typed["reason"]:
        return _("查找个人请写明事由（线索号或案件），记入审计。")
    return ""
