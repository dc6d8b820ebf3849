"""The only writer of subscriptions and calls: subscribe, find what changed, call, try again, send anew."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import all_offices, scope
from chuxiong.audit.record import record
from chuxiong.vault.secrets import open_secret
from chuxiong.work.jobs import enqueue
from ingestion.api.limits import LIMITS
from ingestion.exchange.front.received import path_of
from ingestion.tickets import carrying as tickets
from supervision.clues.actions import Refused
from supervision.models import AgencyClient, Letter, Webhook, WebhookCall
from supervision.webhooks import hosts, sending

State = WebhookCall.State
#: what changed before the last look may have been committed after it
_OVERLAP = timedelta(minutes=10)
_PAGE = 500


def letter_state(letter: Letter) -> str:
    """As its agency reads it."""
    return "answered" if letter.answer else "acknowledged" if letter.acknowledged_at else "waiting"


def subscribe(*, client: AgencyClient, at: datetime, url: str, algorithm: str) -> Webhook:
    """From now on the client is called at ``url``; the first call tells the subscription. The same again changes nothing."""
    with transaction.atomic():
        hook = Webhook.objects.select_for_update().filter(client=client).first()
        if hook and (hook.active, hook.url, hook.algorithm) == (True, url, algorithm):
            return hook
        fresh = hook is None or not hook.active
        hook = hook or Webhook(client=client, revision=0)
        hook.url, hook.algorithm, hook.active, hook.problem = url, algorithm, True, ""
        hook.revision += 1
        if fresh:
            hook.subscribed_at = hook.seen_to = at
        hook.save()
        record(
            at=at, actor=client.key, action="webhook.subscribe", object_kind="client", object_ref=client.key,
            detail={"host": _host_of(url)},
        )  # fmt: skip
    return hook


def unsubscribe(*, client: AgencyClient, at: datetime) -> None:
    """Nothing is called any more; calls that wait stay waiting until it subscribes again."""
    with transaction.atomic():
        if Webhook.objects.filter(client=client, active=True).update(active=False):
            record(
                at=at,
                actor=client.key,
                action="webhook.end",
                object_kind="client",
                object_ref=client.key,
            )


def _host_of(url: str) -> str:
    found = hosts.target(url)
    return found.host if found else ""


# ---- what changed ---------------------------------------------------------------------------------


def look(*, at: datetime) -> int:
    """Write down a call for everything that changed for those who want to be told; the number of calls set going."""
    try:
        known = hosts.load(settings.WEBHOOK_HOSTS)
        fault = ""
    except hosts.HostsFault as error:
        known, fault = hosts.Hosts(), str(error)[:200]
    count = 0
    with scope(offices=all_offices()):
        waiting = Webhook.objects.filter(active=True, client__active=True).select_related("client")
        for hook in waiting.select_for_update(of=("self",), skip_locked=True):
            problem = fault or _hindrance(hook, known)
            if problem != hook.problem:
                hook.problem = problem
                hook.save(update_fields=["problem"])
            if not problem:
                count += _write_down(hook, at)
    return count


def _hindrance(hook: Webhook, known: hosts.Hosts) -> str:
    where = hosts.target(hook.url)
    if where and hosts.listed(known, hook.client.agency, where):
        return ""
    return "该地址不在检察机关的允许清单内，请联系检察机关登记 / not on the procuratorate's list of receivers: ask it to enter the address"


@dataclass(frozen=True)
class _Change:
    kind: str
    number: str
    version: int
    state: str
    updated_at: datetime


def _write_down(hook: Webhook, at: datetime) -> int:
    since = max(hook.subscribed_at, hook.seen_to - _OVERLAP)
    found = sorted(_changes(hook.client, since), key=lambda c: c.updated_at)
    told = _Change("subscription", hook.client.key, hook.revision, "active", at)
    WebhookCall.objects.bulk_create(
        [
            WebhookCall(
                code=uuid.uuid4(), webhook=hook, kind=c.kind, number=c.number, version=c.version, standing=c.state,
                created_at=at, due_at=at,
            )
            for c in (told, *found)
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    hook.seen_to = found[-1].updated_at if len(found) >= _PAGE else at
    hook.save(update_fields=["seen_to"])
    # Each has its job already, or lost it; the same job is queued once.
    codes = list(hook.calls.filter(state=State.WAITING, due_at__lte=at).values_list("code", flat=True))
    for code in codes:
        _ring(code)
    return len(codes)


def _changes(client: AgencyClient, since: datetime) -> Iterator[_Change]:
    if "letters" in client.scopes:
        letters = Letter.objects.filter(agency=client.agency, updated_at__gte=since).defer("sealed", "text")
        for one in letters.order_by("updated_at")[:_PAGE]:
            yield _Change("letter", one.number, one.version, letter_state(one), one.updated_at)
    if "data" in client.scopes:
        for number, version, state, updated_at in tickets.changed(client.agency, since=since, limit=_PAGE):
            yield _Change("ticket", number, version, state, updated_at)


def _ring(code: uuid.UUID, *, after: float = 0) -> None:
    enqueue("webhook", str(code), {"code": str(code)}, priority=6, delay_seconds=after)


# ---- calling ---------------------------------------------------------------------------------------


def work(code: str) -> None:
    """Make one call; what came of it and the next attempt are one transaction. Again after its end it does nothing."""
    call = WebhookCall.objects.select_related("webhook__client").filter(code=code).first()
    if call is None or call.state != State.WAITING or call.due_at > timezone.now():
        return
    hook = call.webhook
    if not (hook.active and hook.client.active):
        return
    sent = _send(call)
    at, pauses = timezone.now(), LIMITS.webhook_pauses.value
    with transaction.atomic():
        held = WebhookCall.objects.select_for_update().get(pk=call.pk)
        if held.state != State.WAITING or held.attempts != call.attempts:
            return
        held.attempts, held.tried_at = held.attempts + 1, at
        held.status, held.problem = sent.status, sent.problem[:200]
        if sent.delivered:
            held.state, held.done_at = State.DONE, at
            Webhook.objects.filter(pk=hook.pk).update(last_success_at=at)
        elif held.attempts > len(pauses):
            held.state = State.DEAD
        else:
            pause = pauses[held.attempts - 1]
            held.due_at = at + timedelta(seconds=pause)
            _ring(held.code, after=pause + 1)
        held.save()


def _send(call: WebhookCall) -> sending.Sent:
    hook = call.webhook
    client, where = hook.client, hosts.target(hook.url)
    try:
        by = hosts.listed(hosts.load(settings.WEBHOOK_HOSTS), client.agency, where) if where else None
    except hosts.HostsFault as fault:
        return sending.Sent(None, str(fault))
    if where is None or by is None:
        return sending.Sent(None, "该地址不在允许清单内 / not on the list of receivers")
    secret = open_secret(bytes(client.sealed_secret), f"client:{client.key}")
    return sending.send(
        json.dumps(document_of(call), ensure_ascii=False).encode(), to=where, by=by, key=client.key, secret=secret,
        algorithm=hook.algorithm, code=str(call.code), seconds=LIMITS.webhook_seconds.value,
    )  # fmt: skip


def document_of(call: WebhookCall) -> dict[str, Any]:
    """What is told: what changed and where to read it. No subject, no text, nobody's name or number."""
    subscription = call.kind == "subscription"
    return {
        "id": str(call.code),
        "event": "subscription.active" if subscription else "received.changed",
        "kind": call.kind,
        "number": call.number,
        "version": call.version,
        "state": call.standing,
        "path": "/api/v1/webhook" if subscription else path_of(call.number),
        "created_at": timezone.localtime(call.created_at).isoformat(),
    }


def resend(*, by: Person, at: datetime, call: int) -> WebhookCall:
    """A dead call begins anew, with all its attempts; the next look sets it going. Raises ``Refused``."""
    with transaction.atomic():
        found = WebhookCall.objects.select_for_update().filter(pk=call).first()
        if found is None or found.state != State.DEAD:
            raise Refused(
                "这条通知不在未送达之列，可能已由别人重发",
                "this call is not dead: somebody may have sent it anew",
            )
        found.state, found.attempts, found.due_at = State.WAITING, 0, at
        found.resent_by, found.resent_at = by.username, at
        found.save(update_fields=["state", "attempts", "due_at", "resent_by", "resent_at"])
        record(
            at=at, actor=by.username, office=by.office_id, action="webhook.resend", object_kind="client",
            object_ref=found.webhook.client_id, detail={"number": found.number, "version": found.version},
        )  # fmt: skip
    return found
