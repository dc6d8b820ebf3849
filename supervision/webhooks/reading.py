"""Subscriptions and their calls, as the page shows them and as a client asks after its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from supervision.models import Webhook, WebhookCall
from supervision.webhooks.hosts import target

State = WebhookCall.State
#: the most that one page lists
MOST = 100


@dataclass(frozen=True)
class Line:
    """One subscription: whose, where to, how it goes."""

    hook: Webhook
    host: str
    waiting: int
    dead: int
    done: int

    @property
    def standing(self) -> str:
        if not self.hook.active or not self.hook.client.active:
            return "ended"
        if self.hook.problem:
            return "not_listed"
        return "failing" if self.dead else "active"


def lines(clients: Iterable[str] | None = None) -> list[Line]:
    """All subscriptions, or those of some clients, with their calls counted."""
    found = Webhook.objects.select_related("client").annotate(
        waiting=Count("calls", filter=Q(calls__state=State.WAITING)),
        dead=Count("calls", filter=Q(calls__state=State.DEAD)),
        done=Count("calls", filter=Q(calls__state=State.DONE)),
    )
    if clients is not None:
        found = found.filter(client__in=clients)
    return [_line(hook) for hook in found.order_by("client__agency", "client_id")]


def _line(hook: Any) -> Line:
    where = target(hook.url)
    return Line(hook, where.host if where else "", hook.waiting, hook.dead, hook.done)


def calls(*, dead: bool) -> list[WebhookCall]:
    """The newest calls: those that were given up, or the others."""
    found = WebhookCall.objects.select_related("webhook__client")
    found = found.filter(state=State.DEAD) if dead else found.exclude(state=State.DEAD)
    return list(found.order_by("-id")[:MOST])


def dead_count() -> int:
    return WebhookCall.objects.filter(state=State.DEAD).count()


def document_of(line: Line | None) -> dict[str, Any] | None:
    """A subscription as its client reads it at the front; None when there is none."""
    if line is None or line.standing == "ended":
        return None
    last = line.hook.last_success_at
    return {
        "url": line.hook.url,
        "algorithm": line.hook.algorithm,
        "state": line.standing,
        "problem": line.hook.problem,
        "last_success_at": timezone.localtime(last).isoformat() if last else None,
        "waiting": line.waiting,
        "dead": line.dead,
    }
