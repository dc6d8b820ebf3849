"""What supervision brings to the front and fetches from it: clients, letters, answers."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from rest_framework.renderers import JSONRenderer

from chuxiong.vault.secrets import open_secret
from ingestion.exchange import sealing
from ingestion.exchange.front import store
from ingestion.exchange.front.carrying import inward, outward
from supervision import selectors
from supervision.api.views import LetterOut
from supervision.clients import set_agency_scope
from supervision.clues import actions
from supervision.models import AgencyClient, Letter

#: a letter changed within the last round may have been committed after it: looked at again
_OVERLAP = timedelta(minutes=10)
_WHOLE = timedelta(minutes=10)
_PAGE = 500


@outward
def clients(cursor: store.Cursor, at: datetime) -> None:
    """Secrets sealed anew to the front's key; a client that ended here ends there."""
    public = store.key(cursor, "front")
    if public is None:
        return
    cursor.execute("select key, mark, active from front_client")
    held = {key: (mark, active) for key, mark, active in cursor.fetchall()}
    for client in AgencyClient.objects.all():
        mark = hashlib.sha256(bytes(client.sealed_secret) + public + client.agency.encode()).hexdigest()
        if held.pop(client.key, None) == (mark, client.active):
            continue
        place = f"client:{client.key}"
        box = sealing.seal_key(public, open_secret(bytes(client.sealed_secret), place), place)
        cursor.execute(
            "insert into front_client (key, agency, agency_zh, sealed_secret, mark, active) values (%s, %s, %s, %s, %s, %s)"
            " on conflict (key) do update set agency = excluded.agency, agency_zh = excluded.agency_zh,"
            " sealed_secret = excluded.sealed_secret, mark = excluded.mark, active = excluded.active",
            [client.key, client.agency, client.agency_zh, box, mark, client.active],
        )
    for key in held:
        cursor.execute("delete from front_client where key = %s", [key])


class _Letters:
    """Letters of agencies that have a client: what changed since the last round, now and then all of them."""

    def __init__(self) -> None:
        self.since: datetime | None = None
        self.whole: datetime | None = None

    def __call__(self, cursor: store.Cursor, at: datetime) -> None:
        if self.whole is None or at - self.whole > _WHOLE or at < self.whole:
            self.since, self.whole = None, at
        agencies = set(AgencyClient.objects.filter(active=True).values_list("agency", flat=True))
        for agency in sorted(agencies):
            with transaction.atomic():
                set_agency_scope(agency)
                after = 0
                while found := selectors.letters_of(
                    agency, updated_since=self.since, after=after, limit=_PAGE
                ):
                    for letter in found:
                        store.put_letter(cursor, _copy(letter), updated_at=letter.updated_at)
                    after = found[-1].pk
        self.since = at - _OVERLAP


letters = outward(_Letters())


def _copy(letter: Letter) -> store.LetterCopy:
    document = json.loads(JSONRenderer().render(LetterOut(letter).data))
    return store.LetterCopy(letter.pk, letter.number, letter.agency, letter.version, document)


@inward("answer")
def answer(
    cursor: store.Cursor, item: store.Item, document: dict[str, Any], at: datetime
) -> dict[str, Any] | None:
    """An agency signed for a letter or answered it; where the letter has changed here meanwhile, ours stands."""
    with transaction.atomic():
        set_agency_scope(item.agency)
        letter = Letter.objects.filter(number=document["letter"]).first()
        if letter is None:
            return {"state": "refused"}
        try:
            with transaction.atomic():
                actions.take_answer(
                    letter=letter, client=item.client, at=item.at, answer=document["answer"], text=document["text"],
                    expected_version=document["version"],
                )  # fmt: skip
        except actions.Refused as refused:
            store.restore_letter(cursor, _copy(letter), updated_at=letter.updated_at)
            return {"state": "refused", "what": refused.zh}
    return {"state": "done"}
