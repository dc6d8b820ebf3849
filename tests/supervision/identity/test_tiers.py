"""Mentions without a full number: what makes them one, and what never does."""

from __future__ import annotations

import polars as pl

from supervision.identity.frequencies import Frequencies, count
from supervision.identity.tiers import ATTRIBUTES, NODE_SCHEMA, Judged, Resolved, link_model, resolve

_TOLD = {"sex": "M", "birth": "1980-01-02", "town": "532301"}


def _node(key: str, name: str, number: str | None = None, **told: str) -> dict[str, str | int | None]:
    blank = dict.fromkeys(ATTRIBUTES)
    return {**blank, **_TOLD, "key": key, "number": number, "first": 1, "name": name, "sound": name, **told}


def _frequencies(common: str) -> Frequencies:
    """Ten thousand holders of numbers; a tenth of them bear the common name, and as many share the birthday."""
    rows = [
        {
            **dict.fromkeys(ATTRIBUTES), "subject": str(n), "sex": "MF"[n % 2], "town": f"5323{n % 10:02d}",
            "name": common if n % 10 == 0 else f"名{n}", "sound": common if n % 10 == 0 else f"名{n}",
            "birth": "1980-01-02" if n % 10 == 1 else f"{1930 + n % 70}-{1 + n % 12:02d}-{1 + n % 28:02d}",
        }
        for n in range(10_000)
    ]  # fmt: skip
    return count(
        pl.DataFrame(rows, schema={"subject": pl.String, **dict.fromkeys(ATTRIBUTES, pl.String)}),
        link_model("person"),
    )


def _resolved(*nodes: dict[str, str | int | None], judged: Judged | None = None) -> Resolved:
    frame = pl.DataFrame(list(nodes), schema=NODE_SCHEMA)
    return resolve("person", frame, _frequencies("王伟"), judged or Judged())


def _subjects(found: Resolved) -> list[str]:
    return found.mentions.sort("key")["subject"].to_list()


def test_two_of_a_common_name_and_birthday_stay_two():
    found = _resolved(_node("f/r/1", "王伟"), _node("f/r/2", "王伟"))
    one, two = _subjects(found)
    assert one != two
    assert found.mentions["tier"].to_list() == ["", ""]


def test_two_of_a_rare_name_with_birthday_and_town_are_one():
    rare = {"birth": "1977-07-17"}
    found = _resolved(_node("f/r/1", "欧阳樵隐", **rare), _node("f/r/2", "欧阳樵隐", **rare))
    one, two = _subjects(found)
    assert one == two
    assert found.mentions["tier"].to_list() == ["C", "C"]


def test_a_word_joins_and_parts_but_never_two_numbers():
    nodes = (_node("f/r/1", "王伟"), _node("ref/A", "王伟", "A"), _node("ref/B", "王伟", "B"))
    both = Judged(same=frozenset({("f/r/1", "ref/A"), ("f/r/1", "ref/B")}))
    assert _subjects(_resolved(*nodes, judged=both)) == ["A"]
    assert _resolved(*nodes, judged=both).mentions["tier"].to_list() == ["J"]
    rare = (
        _node("f/r/1", "欧阳樵隐", birth="1977-07-17"),
        _node("ref/A", "欧阳樵隐", "A", birth="1977-07-17"),
    )
    assert _subjects(_resolved(*rare)) == ["A"]
    apart = Judged(different=frozenset({("f/r/1", "ref/A")}))
    assert _subjects(_resolved(*rare, judged=apart)) != ["A"]


def test_no_number_and_no_rows_resolve():
    assert _resolved().mentions.is_empty()
    assert _resolved(_node("f/r/1", "王伟")).mentions.height == 1
