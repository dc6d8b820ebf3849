"""Identifiers on their way into the pool: refs in columns and texts, what a mention touches, minting side by side."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import polars as pl
from django.db import connections, transaction

from chuxiong.kit import credit_code
from chuxiong.kit.citizen_id import to_eighteen
from chuxiong.vault import refs
from ingestion.catalog.load import load_catalog
from ingestion.intake import merge
from ingestion.intake.shelter import DOUBTFUL, shelter
from tests.prefecture import citizen, land_rows

ROOT = Path(__file__).resolve().parents[2]
FIRM = "91532300MA6K00001X"


def _firm() -> str:
    """A credit code of the prefecture whose check character fits."""
    return next(
        code for c in "0123456789ABCDEFGHJKLMNPQRTUWXY" if credit_code.is_valid(code := FIRM[:17] + c)
    )


def test_a_number_in_a_text_is_what_its_check_character_says() -> None:
    """A slip of the pen hides a person's number from nobody's eyes, and names nobody."""
    feed = load_catalog(ROOT / "ingestion" / "feeds")["pr_petition_12309"]
    column = next(c.name for c in feed.delivered if c.type == "text")
    right = citizen(7)
    wrong = right[:17] + ("0" if right[17] != "0" else "1")
    minted: dict[str, list[str]] = {}

    def mint(kind: str, values: pl.Series) -> dict[str, uuid.UUID]:
        minted[kind] = list(values)
        return {value: uuid.uuid5(uuid.NAMESPACE_OID, value) for value in values}

    # Fifteen digits: one that only a person can bear, one that checks as a firm's old registration number too.
    old, either = "532399500101014", "532301100101014"
    assert credit_code.is_legacy(either) and not credit_code.is_legacy(old)
    told = f"身份证{right}，又作{wrong}，旧证{old}，登记号{either}，电话13800000000，单号１２３"
    good = shelter(pl.DataFrame({column: [told, None, told]}), feed, mint)[column].to_list()
    assert minted == {
        "citizen_id": sorted([right, to_eighteen(old)]),
        DOUBTFUL: sorted([wrong, either]),
        "phone": ["13800000000"],
    }
    assert good[0] == good[2] and good[1] is None
    assert not any(number in good[0] for number in (right, wrong, old, either))
    assert "〔citizen_id:" in good[0] and f"〔{DOUBTFUL}:" in good[0] and good[0].endswith("单号１２３")


def test_a_mention_touches_what_it_mentions(database: None) -> None:
    """One column may name persons and firms: each is touched as what it is, a telephone as nothing."""
    from ingestion.selectors import catalog

    feed, column = next(
        (feed, column) for feed in catalog().values() for column in feed.columns
        if column.type == "text" and column.subject == "person" and column.form == "identity"
    )  # fmt: skip
    firm, person = _firm(), citizen(8)
    keys = {
        name: [f"键{i}" for i in range(2)]
        for name in feed.natural_key
        if feed.column(name).type in ("text", "code", "case_no") and not feed.column(name).form
    }
    rows = [
        {column.name: value, **{name: values[index] for name, values in keys.items()}}
        for index, value in enumerate((firm, person))
    ]
    number, counts, result = land_rows(feed.code, rows)
    assert counts.loaded == 2, result.bad
    with connections["intake"].cursor() as cursor:
        cursor.execute(
            "select kind, ref from ingestion_touch where landing = %s and kind in ('person', 'organisation')",
            [number],
        )
        touched = set(cursor.fetchall())
    known = {
        kind: refs.find(connections["intake"], kind, value)
        for kind, value in (("credit_code", firm), ("citizen_id", person))
    }
    assert {("organisation", str(known["credit_code"])), ("person", str(known["citizen_id"]))} <= touched
    assert ("person", str(known["credit_code"])) not in touched


def test_two_intakes_that_mint_the_same_get_the_same(database: None) -> None:
    """The second waits for the first and takes its refs; what is new to both is minted once."""
    values = [citizen(serial) for serial in range(40)]
    found: dict[str, dict[str, uuid.UUID]] = {}
    started = threading.Event()

    def second() -> None:
        started.set()
        with transaction.atomic(using="intake"):
            found["second"] = refs.mint(connections["intake"], "citizen_id", values[10:])
        connections["intake"].close()

    thread = threading.Thread(target=second)
    with transaction.atomic(using="intake"):
        found["first"] = refs.mint(connections["intake"], "citizen_id", values[:30])
        thread.start()
        started.wait(10)
        # Until the other stands before a row of ours, or is through with those it can see.
        for _ in range(100):
            with connections["owner"].cursor() as cursor:
                cursor.execute("select count(*) from pg_locks where not granted")
                if cursor.fetchone()[0]:
                    break
            thread.join(0.05)
    thread.join(30)
    assert all(found["first"][v] == found["second"][v] for v in values[10:30])
    assert refs.mint(connections["intake"], "citizen_id", values) == found["first"] | found["second"]


def test_a_minter_answers_in_order_and_the_same_again(database: None) -> None:
    minter = refs.Minter(connections["intake"])
    with transaction.atomic(using="intake"):
        first = minter("phone", pl.Series([f"138{i:08d}" for i in range(50)]))
        again = minter("phone", pl.Series([f"138{i:08d}" for i in range(60, -1, -1)]))
    assert again[11:].to_list() == first.to_list()[::-1]
    known = refs.mint(connections["intake"], "phone", [f"138{i:08d}" for i in range(61)])
    assert again.to_list() == [str(known[f"138{i:08d}"]) for i in range(60, -1, -1)]


def test_hashes_are_those_of_the_text() -> None:
    """What lies in pools already was hashed so; a change would make every record a new version."""
    import hashlib

    frame = pl.DataFrame({"a": ["甲", None, ""], "b": [1, 2, None]})
    wanted = ["甲\x1f1", "\x00\x1f2", "\x1f\x00"]
    digests = ["\\x" + hashlib.blake2b(t.encode(), digest_size=16).hexdigest() for t in wanted]
    assert merge._hash(frame, ["a", "b"]).to_list() == digests
    assert merge._hash(frame.slice(1, 1), ["a", "b"]).to_list() == digests[1:2]
