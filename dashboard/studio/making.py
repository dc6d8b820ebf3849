"""The studio's pages that write: where to begin, the questions of a pattern, the expert's form, the live sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed, said
from dashboard.desk.page import page, person, pick
from dashboard.studio import words
from dashboard.studio.outline import called, changed, outline
from ingestion import selectors as ingestion
from supervision import selectors as supervision
from supervision.drafts import actions, reading
from supervision.drafts.checking import check, much_like
from supervision.drafts.patterns import Pattern, answered, options, patterns
from supervision.drafts.patterns import sentence as pattern_sentence
from supervision.rulebook.form import encode
from supervision.rulebook.form_check import Checked
from supervision.rulebook.sentence import rule_sentence

#: what the blank form begins with
_BLANK: dict[str, Any] = {
    "purpose": "legal_supervision",
    "sources": {"a": {}},
    "driver": "a",
    "bands": [{"level": "ordinary", "zh": "一般", "en": "ordinary"}],
    "measures": {"records": {"count": "rows", "zh": "记录数", "en": "records"}},
    "clue": {"evidence": ["a"]},
    "tests": [{"name": "命中", "expect": "hit"}, {"name": "不命中", "expect": "miss"}, {"name": "未定", "expect": "undecided"}],
}  # fmt: skip
_NOT_FIELDS = {"csrfmiddlewaretoken", "act", "revision", "what_changed"}


@allowed("rule.write")
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    rules = sorted(supervision.rulebook().values(), key=lambda r: r.code)
    context = {
        "patterns": [
            (
                p,
                pick(p.zh, p.en),
                pick(p.about.zh, p.about.en),
                pick(p.example.zh, p.example.en),
                len(p.questions),
            )
            for p in patterns().values()
        ],
        "rules": [(r.id, f"{r.code} {pick(r.title.zh, r.title.en)}") for r in rules],
    }
    return page(request, "studio/start.html", "studio", context)


@allowed("rule.write")
def pattern(request: HttpRequest, pattern: str) -> HttpResponse:
    found = patterns().get(pattern)
    if found is None:
        raise Http404
    answers = {q.key: request.POST.get(q.key, q.default)[:200] for q in found.questions}
    wrong: dict[str, str] = {}
    if request.method == "POST":
        now = timezone.now()
        made = answered(
            found, answers, ingestion.catalog(), supervision.shipped_rules().values(),
            rule_id="", code="", today=timezone.localdate(now),
        )  # fmt: skip
        if made.document is None:
            wrong = {key: _told(problem) for key, problem in made.wrong.items()}
        else:
            try:
                draft, checked = actions.make(person(request), made.document, at=now, pattern=found.id)
            except Refused as refused:
                wrong = {"": said(refused)}
            else:
                if checked.problems:
                    messages.warning(request, _("草稿已保存，还有几处须在表单里改正"))
                    return redirect("studio:form", draft.pk)
                messages.success(request, _("草稿已保存"))
                return redirect("studio:draft", draft.pk)
    context = {
        "pattern": found,
        "title": pick(found.zh, found.en),
        "about": pick(found.about.zh, found.about.en),
        "example": pick(found.example.zh, found.example.en),
        "questions": _questions(found, answers, wrong),
        "wrong": wrong,
        "sentence": _said_so_far(found, answers),
    }
    return page(request, "studio/pattern.html", "studio", context, status=422 if wrong else 200)


def _questions(found: Pattern, answers: Mapping[str, str], wrong: Mapping[str, str]) -> list[dict[str, Any]]:
    rules, asked = list(supervision.shipped_rules().values()), []
    for number, q in enumerate(found.questions, 1):
        groups: dict[str, list[tuple[str, str]]] = {}
        for option in options(q, ingestion.catalog(), rules):
            groups.setdefault(pick(option.group_zh, option.group_en), []).append(
                (option.value, pick(option.zh, option.en))
            )
        if q.kind == "domain":
            known = {rule.domain for rule in rules}
            groups = {"": [(code, pick(*said)) for code, said in words.DOMAINS.items() if code in known]}
        asked.append(
            {
                "q": q, "number": number, "text": pick(q.zh, q.en), "help": pick(q.help_zh, q.help_en),
                "groups": list(groups.items()), "value": answers[q.key], "wrong": wrong.get(q.key, ""),
            }
        )  # fmt: skip
    return asked


def _said_so_far(found: Pattern, answers: Mapping[str, str]) -> str:
    return pick(*pattern_sentence(found, answers, ingestion.catalog()))


@allowed("rule.write")
@require_POST
def blank(request: HttpRequest) -> HttpResponse:
    draft, _checked = actions.make(person(request), _BLANK, at=timezone.now())
    return redirect("studio:form", draft.pk)


@allowed("rule.write")
@require_POST
def version(request: HttpRequest, rule: str) -> HttpResponse:
    """A new version of a rule that there is."""
    document = reading.document_in_force(rule)
    if document is None:
        raise Http404
    draft, _checked = actions.make(person(request), document, at=timezone.now())
    messages.success(request, _("已按现行内容新建一版草稿；发布前现行版照常运行"))
    return redirect("studio:form", draft.pk)


@allowed("rule.write")
@require_POST
def sentence(request: HttpRequest) -> HttpResponse:
    """What a pattern's answers or a form's fields say so far, in one sentence."""
    found = patterns().get(request.POST.get("pattern", ""))
    if found is not None:
        said_so_far = _said_so_far(found, {q.key: request.POST.get(q.key, "")[:200] for q in found.questions})
        return render(request, "studio/parts/sentence.html", {"sentence": said_so_far})
    return render(
        request, "studio/parts/sentence.html", _sentence(check(_fields(request), on=timezone.localdate()))
    )


def _sentence(checked: Checked) -> dict[str, Any]:
    if checked.rule is None:
        return {"sentence": "", "left": len(checked.problems)}
    like = much_like(checked.rule, supervision.rulebook().values())
    return {
        "sentence": rule_sentence(checked.rule, None, "en" if pick("", "en") else "zh"),
        "like": [(one.rule.code, pick(one.rule.title.zh, one.rule.title.en), one.percent) for one in like],
    }


def _fields(request: HttpRequest) -> dict[str, str]:
    return {k: v for k, v in request.POST.items() if k not in _NOT_FIELDS and isinstance(v, str)}


@allowed("rule.write")
def form(request: HttpRequest, draft: int) -> HttpResponse:
    """The expert's form. Buttons within it add and take away; saving keeps what is wrong too, and names it."""
    found = reading.detail(person(request), draft)
    if found is None:
        raise Http404
    made, today, refused = found.draft, timezone.localdate(), ""
    if request.method != "POST":
        checked = check(encode(reading.document(made)), on=today)
        return _form_page(request, made, checked.data, checked, made.revision, made.note)
    act, typed = request.POST.get("act", "save"), _fields(request)
    revision, note = _number(request.POST.get("revision", "")), request.POST.get("what_changed", "")
    if act != "save":
        data = typed if act == "look" else changed(typed, act)
        return _form_page(request, made, data, None, revision, note)
    try:
        saved, checked = actions.save(
            person(request), draft, typed, at=timezone.now(), revision=revision, note=note
        )
    except Refused as error:
        refused = said(error)
        checked = check(typed, on=today)
        return _form_page(request, made, checked.data, checked, made.revision, note, refused)
    if checked.problems:
        messages.warning(request, _("已保存；还有几处须改正"))
        return _form_page(request, saved, checked.data, checked, saved.revision, note)
    messages.success(request, _("已保存"))
    return redirect("studio:draft", saved.pk)


def _form_page(
    request: HttpRequest, made: Any, data: dict[str, str], checked: Checked | None, revision: int, note: str, refused: str = ""
) -> HttpResponse:  # fmt: skip
    problems = checked.problems if checked else ()
    items = outline(data, problems)
    names = called(items)
    context = {
        "d": made,
        "title": pick(made.title_zh, made.title_en) or made.rule,
        "items": items,
        "problems": [
            (
                " › ".join(pick(w.zh, w.en) for w in names.get(p.name, ())),
                "f-" + p.name.replace(".", "-"),
                _told(p.problem),
            )
            for p in problems
        ],
        "lists": words.lists(data),
        "operators": words.operators(),
        "feeds": words.feeds(),
        "revision": revision,
        "note": note,
        "refused": refused,
        "writes": made.state == "draft",
        **(_sentence(checked) if checked else {"sentence": "", "left": 0}),
    }
    status = 409 if refused else 422 if request.method == "POST" and problems else 200
    return page(request, "studio/form.html", "studio", context, status=status)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _told(problem: Any) -> str:
    zh = f"{problem.what}。{problem.cure}".replace("。。", "。")
    return pick(
        zh, f"{problem.what_en or problem.what}. {problem.cure_en or problem.cure}".replace("..", ".")
    )
