"""Views of the queue under names of one's own: kept and removed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from dashboard.accounts.page import allowed
from dashboard.desk.page import person as person_of
from dashboard.desk.page import pick
from dashboard.desk.views import asked_filters
from supervision import saved_views
from supervision.clues.actions import Refused


@allowed("clue.read")
@require_POST
def view_save(request: HttpRequest) -> HttpResponse:
    """The filters stand in the address, as on the queue."""
    filters, _page = asked_filters(request)
    try:
        made = saved_views.save(
            by=person_of(request), at=timezone.now(), name=request.POST.get("name", ""), filters=filters
        )
    except Refused as error:
        messages.error(request, pick(error.zh, error.en))
        return redirect(f"{reverse('desk:queue')}?{request.GET.urlencode()}")
    messages.success(request, _("已存为视图：%(name)s") % {"name": made.name})
    return redirect(f"{reverse('desk:queue')}?{made.query}")


@allowed("clue.read")
@require_POST
def view_forget(request: HttpRequest, view: int) -> HttpResponse:
    saved_views.forget(by=person_of(request), pk=view)
    return redirect(f"{reverse('desk:queue')}?{request.GET.urlencode()}")
