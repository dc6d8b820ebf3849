"""反馈前查看: field by field what would leave with a letter, and under which clause."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from dashboard.accounts.page import allowed
from dashboard.desk.page import page, person
from ingestion import selectors as ingestion
from supervision import leaving as records


@allowed("clue.act")
def leaving(request: HttpRequest, number: str) -> HttpResponse:
    typed = request.POST if request.method == "POST" else request.GET
    agency = typed.get("agency", "")
    found = records.leaving(person(request), number, agency, at=timezone.now())
    if found is None:
        raise Http404
    clue, what = found
    names = dict(ingestion.agencies()) | {clue.responsible: clue.responsible_zh}
    context = {
        "clue": clue,
        "what": what,
        "typed": typed,
        "agency_name": names.get(agency, ""),
        "masked": any(c.masked for s in what.sources for c in s.columns),
    }
    return page(request, "desk/leaving.html", "queue", context)
