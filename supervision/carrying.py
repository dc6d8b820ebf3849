"""What supervision brings to the front and fetches from it: clients, letters, answers."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from chuxiong.audit.record import record
from chuxiong.vault.keys import keys
from chuxiong.vault.secrets import open_secret
from ingestion.exchange import sealing
from ingestion.exchange.front import received, store
from ingestion.exchange.front.carrying import Inward, Since, inward, outward
from supervision import selectors
from supervision.clients import certificates_of, set_agency_scope
from supervision.clues import actions
from supervision.models import AgencyClient, Letter
from supervision.webhooks import actions as hooking
from supervision.webhooks import reading as webhooks

_PAGE = 500


@outward
def clients(cursor: store.Cursor, at: datetime) -> None:
    """Secrets sealed anew to the front's key; a client that ended here ends there."""
    public = store.key(cursor, "front")
    if public is None:
        return
    cursor.execute("select key, mark, active, scopes, certificates, webhook from front_client")
    held = {row[0]: (*row[1:4], store.parsed(row[4]), store.parsed(row[5])) for row in cursor.fetchall()}
    hooks = {line.hook.client_id: line for line in webhooks.lines()}
    for client in AgencyClient.objects.prefetch_related("certificates"):
        mark = hashlib.sha256(bytes(client.sealed_secret) + public + client.agency.encode()).hexdigest()
        scopes = " ".join(client.scopes)
        shown, hook = certificates_of(client), webhooks.document_of(hooks.get(client.key))
        if held.pop(client.key, None) == (mark, client.active, scopes, shown, hook):
            continue
        place = f"client:{client.key}"
        box = sealing.seal_key(public, open_secret(bytes(client.sealed_secret), place), place)
        cursor.execute(
            "insert into front_client (key, agency, agency_zh, sealed_secret, mark, active, scopes, certificates, webhook)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict (key) do update set agency = excluded.agency, agency_zh = excluded.agency_zh,"
            " sealed_secret = excluded.sealed_secret, mark = excluded.mark, active = excluded.active,"
            " scopes = excluded.scopes, certificates = excluded.certificates, webhook = excluded.webhook",
            [
                client.key, client.agency, client.agency_zh, box, mark, client.active, scopes, json.dumps(shown),
                json.dumps(hook, ensure_ascii=False) if hook else None,
            ],
        )  # fmt: skip
    for key in held:
        cursor.execute("delete from front_client where key = %s", [key])
    received.withdraw(
        cursor, agencies=sorted({*store.agencies(cursor, "letters"), *store.agencies(cursor, "data")})
    )


class _Letters:
    """Letters of agencies that have a client: what changed since the last round, now and then all of them."""

    def __init__(self) -> None:
        self._since = Since()

    def __call__(self, cursor: store.Cursor, at: datetime) -> None:
        agencies = store.agencies(cursor, "letters")
        for agency, since in self._since(agencies, at).items():
            with transaction.atomic():
                set_agency_scope(agency)
                after = 0
                while found := selectors.letters_of(agency, updated_since=since, after=after, limit=_PAGE):
                    bring(cursor, found, at)
                    after = found[-1].pk
        self._since.done(agencies, at)


letters = outward(_Letters())


def bring(cursor: store.Cursor, found: list[Letter], at: datetime, *, ours_stands: bool = False) -> None:
    """Copies of letters to the front; records go along once, sealed to the front's key."""
    public = store.key(cursor, "front") or b""
    held = received.marks(cursor, [letter.number for letter in found])
    for letter in found:
        mark = f"{public.hex()[:16]}:{letter.records}" if letter.records else ""
        box = None
        if mark and held.get(letter.number) != mark:
            record(
                at=at, actor="前置机", action="letter.records", object_kind="letter", object_ref=letter.number,
                detail={"agency": letter.agency, "rows": letter.records},
            )  # fmt: skip
            content = keys().unwrap(bytes(letter.sealed or b""), letter.key_id, f"letter:{letter.number}")
            box = sealing.seal_key(public, content, received.place(letter.number))
        copy = received.Copy(
            letter.number, "letter", letter.agency, letter.version, document_of(letter), mark, box
        )
        received.put(cursor, copy, updated_at=letter.updated_at, ours_stands=ours_stands)


def document_of(letter: Letter) -> dict[str, Any]:
    """The letter as its agency reads it."""
    last = list(letter.answers.all())[-1:]
    files = {file.code: file for file in letter.files.all()}
    return {
        "number": letter.number,
        "kind": "letter",
        "state": hooking.letter_state(letter),
        "subject": letter.subject,
        "text": letter.text,
        "feed": None,
        "records": received.records_of(letter.number, letter.records, "application/json"),
        "sent_at": _moment(letter.sent_at),
        "due_on": letter.due_on.isoformat(),
        "acknowledged_at": _moment(letter.acknowledged_at),
        "answers": actions.answer_kinds(),
        "answer": letter.answer,
        "answer_text": letter.answer_text,
        "answer_until": letter.answer_until.isoformat() if letter.answer_until else None,
        "answer_files": [
            {
                "id": str(code),
                "name": files[code].name,
                "size": files[code].size,
                "sha256": files[code].digest,
            }
            for one in last
            for code in one.files
        ],
        "answered_at": _moment(letter.answered_at),
        "extension": _decided(letter),
        "version": letter.version,
        "updated_at": _moment(letter.updated_at),
    }


def _decided(letter: Letter) -> dict[str, Any] | None:
    """What was last decided on a request for more time."""
    last = list(letter.extensions.all())[-1:]
    return next(
        (
            {
                "granted": one.granted,
                "asked_until": one.asked_until.isoformat(),
                "due_on": one.due_after.isoformat(),
                "reason": one.reason,
                "decided_at": _moment(one.at),
            }
            for one in last
        ),
        None,
    )


def _moment(at: datetime | None) -> str | None:
    return timezone.localtime(at).isoformat() if at else None


def answer(item: store.Item, document: dict[str, Any], at: datetime) -> dict[str, Any]:
    """An agency signed for a letter or answered it; where the letter has changed here meanwhile, ours stands."""
    set_agency_scope(item.agency)
    letter = Letter.objects.filter(number=document["number"]).defer("sealed").first()
    if letter is None:
        return {"state": "refused"}
    until = document.get("until")
    try:
        with transaction.atomic():
            actions.take_answer(
                letter=letter, client=item.client, at=item.at, answer=document["answer"],
                text=document.get("text", ""), until=date.fromisoformat(until) if until else None,
                files=[uuid.UUID(file["id"]) for file in document.get("files", [])],
                expected_version=document["version"],
            )  # fmt: skip
    except actions.Refused as refused:
        return {"state": "refused", "what": refused.zh}
    return {"state": "done"}


def attachment(item: store.Item, content: bytes, at: datetime) -> dict[str, Any]:
    set_agency_scope(item.agency)
    letter = Letter.objects.filter(number=item.head["number"]).defer("sealed").first()
    if letter is None:
        return {"state": "refused"}
    try:
        with transaction.atomic():
            actions.attach(
                letter=letter, client=item.client, at=item.at, name=item.head["name"], content=content,
                code=item.code,
            )  # fmt: skip
    except actions.Refused as refused:
        return {"state": "refused", "what": refused.zh}
    return {"state": "done"}


def restore(cursor: store.Cursor, agency: str, number: str) -> None:
    with transaction.atomic():
        set_agency_scope(agency)
        bring(
            cursor,
            [one for one in selectors.letters_of(agency, number=number)],
            timezone.now(),
            ours_stands=True,
        )


inward("letter", Inward(take=answer, restore=restore, keep=attachment))


def subscription(item: store.Item, document: dict[str, Any], at: datetime) -> dict[str, Any]:
    """A client wants to be told of changes at an address, or no more."""
    client = AgencyClient.objects.filter(pk=item.client, agency=item.agency, active=True).first()
    if client is None:
        return {"state": "refused"}
    if document["url"] is None:
        hooking.unsubscribe(client=client, at=at)
    else:
        hooking.subscribe(client=client, at=at, url=document["url"], algorithm=document["algorithm"])
    return {"state": "done"}


def _as_it_stands(cursor: store.Cursor, agency: str, number: str) -> None:
    """The next round tells every client its subscription as it is here."""


inward("webhook", Inward(take=subscription, restore=_as_it_stands))
