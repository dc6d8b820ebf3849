"""Who is who, against the peers: persons, firms, addresses, names.

``make bench BENCH=linkage``; parts: ``python -m bench.linkage people firms``. Every peer runs in the same run on the same
records in an environment of its own (``make peers``). Limits are set on one half and scored on the other.
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from bench.linkage import firms
from bench.linkage.people import people
from bench.linkage.scoring import Scored, of_answers, of_pairs
from bench.report import ROOT, Figure, at_least, at_most, write
from supervision.identity.clusters import clusters, pairs_within
from supervision.identity.likeness import Stock
from supervision.identity.linking import (
    Columns,
    Comparison,
    LinkModel,
    Near,
    candidates,
    chances,
    link,
    once,
    score,
)
from supervision.identity.spec import linkage
from supervision.identity.spellings import alike_names, sounds

SHARED = Path(os.environ.get("CHUXIONG_SHARED", ROOT.parent / "shared"))
PEERS = ROOT / ".venv-peers" / "bin" / "python"
#: queries of the slow peers
FEW = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.linkage")
    parser.add_argument("parts", nargs="*", default=list(PARTS), choices=[*PARTS, []])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(31))
    options = parser.parse_args()
    if not PEERS.is_file():
        print("the peers are not installed: make peers")
        return 2
    print(f"seed {options.seed}")
    figures: list[Figure] = []
    load = os.getloadavg()[0]
    for part in options.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="cx-linkage-") as folder:
            figures += PARTS[part](Path(folder), options)
    notes: dict[str, object] = {
        "seed": options.seed,
        "records": options.records,
        "queries": options.queries,
        "load_before": load,
    }
    return write("linkage", figures, notes=notes)


def _peer(name: str, folder: Path) -> tuple[pl.DataFrame, float]:
    done = subprocess.run(
        [str(PEERS), str(Path(__file__).with_name("peers.py")), name, str(folder)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return pl.read_parquet(folder / f"{name}.parquet"), float(done.stdout.split()[-1])


def _compared(
    what: str, ours: Scored, took: float, peers: dict[str, tuple[Scored, float]]
) -> Iterator[Figure]:
    best = max(peers, key=lambda name: peers[name][0].f1)
    surest = max(peers.values(), key=lambda peer: peer[0].recall_at_98)[0].recall_at_98
    yield replace(
        at_least(f"{what}: F1", round(ours.f1, 4), "", round(peers[best][0].f1, 4)),
        peer=round(peers[best][0].f1, 4),
    )
    yield replace(
        at_least(f"{what}: recall at precision 0.98", round(ours.recall_at_98, 4), "", round(surest, 4)),
        peer=round(surest, 4),
    )
    yield Figure(f"{what}: seconds", round(took, 2), "s", peer=round(peers[best][1], 2))
    yield at_least(f"{what}: times as fast as {best}", round(peers[best][1] / took, 2), "×", 2)
    for name, (scored, seconds) in peers.items():
        yield Figure(f"{what}, {name}: F1", round(scored.f1, 4), "")
        yield Figure(f"{what}, {name}: recall at precision 0.98", round(scored.recall_at_98, 4), "")
        yield Figure(f"{what}, {name}: seconds", round(seconds, 2), "s")


# ---- persons ---------------------------------------------------------------------------------


def _people(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    drawn = people(SHARED, options.records, options.seed)
    visible = pl.coalesce("masked", pl.col("number").str.slice(0, 4) + pl.col("number").str.slice(-4))
    drawn.with_columns(sound=sounds(drawn["name"]), masked=visible).drop("who").write_parquet(
        folder / "people.parquet"
    )
    who = drawn["who"].to_numpy()
    gold = pairs_within(who)
    began = time.perf_counter()
    records = drawn.drop("who").with_columns(sound=sounds(drawn["name"]), masked=visible)
    known, columns = linkage("person"), Columns(records)
    blocks = candidates(columns, known.model)
    links = score(columns, known.model, once(blocks), chances(columns, known.model, blocks))
    linked = time.perf_counter() - began
    cluster = clusters(len(columns), links, known.joins, columns.codes("number"))
    took = time.perf_counter() - began
    ours = of_pairs(links.left, links.right, links.score, gold, who, options.seed)
    table, seconds = _peer("splink_people", folder)
    peer = of_pairs(*(table[c].to_numpy() for c in ("left", "right", "score")), gold, who, options.seed)
    yield from _compared("persons", ours, linked, {"splink_people": (peer, seconds)})
    joined = pairs_within(cluster)
    right = int(np.isin(joined, gold).sum())
    yield at_least("persons: F1 of the links, aim", round(ours.f1, 4), "", 0.98)
    yield at_most("persons: with clusters, seconds", round(took, 2), "s", 10)
    yield Figure("persons joined without a look: precision", round(right / max(len(joined), 1), 5), "")
    yield Figure("persons joined without a look: recall", round(right / len(gold), 4), "")
    yield Figure(
        "persons: peak memory", round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), "MiB"
    )


_LIKE = (Near("similar", 0.92), Near("similar", 0.8))
_FEBRL = LinkModel(
    (
        Comparison("given_name", _LIKE), Comparison("surname", _LIKE),
        Comparison("date_of_birth", (Near("edits", 1), Near("edits", 2))), Comparison("soc_sec_id", (Near("edits", 1), Near("edits", 2))),
        Comparison("street_number", (Near("edits", 1),)), Comparison("address_1", (Near("similar", 0.88),)),
        Comparison("suburb", (Near("similar", 0.88),)), Comparison("postcode", (Near("edits", 1),)), Comparison("state"),
    ),
    (
        ("soc_sec_id",), ("given_name", "surname"), ("date_of_birth",), ("address_1", "street_number"), ("surname", "postcode"),
        ("given_name", "postcode"), ("given_name", "suburb"), ("surname", "suburb"), ("address_1", "suburb"),
    ),
)  # fmt: skip


def _febrl(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    for number in (1, 2, 3):
        table = pl.read_csv(SHARED / f"data/linkage/febrl/dataset{number}.csv", infer_schema=False)
        table = table.rename({c: c.strip() for c in table.columns}).with_columns(
            pl.all().str.strip_chars().replace("", None)
        )
        who = table["rec_id"].str.extract(r"rec-(\d+)-", 1).cast(pl.Int64).to_numpy()
        gold = pairs_within(who)
        table.drop("rec_id").write_parquet(folder / "febrl.parquet")
        began = time.perf_counter()
        links = link(table, _FEBRL)
        took = time.perf_counter() - began
        ours = of_pairs(links.left, links.right, links.score, gold, who, options.seed)
        peers = {}
        for name in ("splink_febrl", "recordlinkage_febrl"):
            found, seconds = _peer(name, folder)
            columns = (found[c].to_numpy() for c in ("left", "right", "score"))
            peers[name] = (of_pairs(*columns, gold, who, options.seed), seconds)
        yield from _compared(f"FEBRL {number}", ours, took, peers)


def _restaurants(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    base = SHARED / "data/linkage/restaurants"
    stock, asked = (pl.read_csv(base / f"{n}.csv", infer_schema=False) for n in ("fodors", "zagats"))
    gold = pl.read_csv(base / "match_fodors_zagats_more_attrs.csv", infer_schema=False).select(
        "fodors_id", "zagats_id", "gold"
    )
    place = {key: n for n, key in enumerate(stock["id"])}
    matched = {z: place[f] for f, z, g in gold.iter_rows() if g == "1"}
    truth = np.array([matched.get(z, -1) for z in asked["id"]])
    text = pl.concat_str("name", "addr", "city", "phone", separator=" ", ignore_nulls=True)
    yield from _texts(
        "restaurants",
        folder,
        stock.select(text=text)["text"],
        asked.select(text=text)["text"],
        truth,
        options,
        ("tfidf_texts", "rapidfuzz_texts"),
    )


# ---- texts -----------------------------------------------------------------------------------


def _firms(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    stock, asked = firms.organisations(SHARED, options.records, options.queries, options.seed)
    yield from _texts("organisation names", folder, stock, asked["query"], asked["truth"].to_numpy(), options)


def _addresses(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    stock, asked = firms.addresses(SHARED, options.records, options.queries, options.seed)
    yield from _texts("addresses", folder, stock, asked["query"], asked["truth"].to_numpy(), options)


def _texts(
    what: str, folder: Path, stock: pl.Series, asked: pl.Series, truth: np.ndarray, options: argparse.Namespace,
    all_by: tuple[str, ...] = (),
) -> Iterator[Figure]:  # fmt: skip
    began = time.perf_counter()
    held = Stock(stock)
    built = time.perf_counter() - began
    found = held.alike(asked, most=2)
    took = time.perf_counter() - began
    answer, sure = _first(found.query, found.text, found.likeness, len(asked))
    yield Figure(f"{what}: stock built", round(built, 2), "s")
    yield Figure(f"{what}: answers a second", round(len(asked) / (took - built)), "1/s")
    peers = {}
    for name, queries in (("tfidf_texts", 5_000), ("rapidfuzz_texts", FEW)):
        few = len(asked) if name in all_by else min(queries, len(asked))
        pl.DataFrame({"text": stock}).write_parquet(folder / "stock.parquet")
        pl.DataFrame({"text": asked[:few]}).write_parquet(folder / "asked.parquet")
        table, seconds = _peer(name, folder)
        theirs, score_ = _first(*(table[c].to_numpy() for c in ("query", "text", "score")), few)
        peers[f"{name} ({few} queries)"] = (of_answers(theirs, score_, truth[:few], options.seed), seconds)
        began = time.perf_counter()
        held.alike(asked[:few], most=2)
        yield at_least(
            f"{what}: times as fast as {name}, {few} queries, stock and all",
            round(seconds / (built + time.perf_counter() - began), 2),
            "×",
            2,
        )
    yield from _compared(what, of_answers(answer, sure, truth, options.seed), took, peers)


def _first(
    query: np.ndarray, text: np.ndarray, likeness: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best answer of every query and its score, less half of what the second best has: two alike answers are none."""
    order = np.lexsort((-likeness, query))
    query, text, likeness = query[order], text[order], likeness[order]
    first = np.append(True, query[1:] != query[:-1]) if len(query) else np.empty(0, bool)
    second = np.flatnonzero(~first & np.append(False, first[:-1])) if len(query) else np.empty(0, np.int64)
    answer, sure = np.full(size, -1), np.zeros(size)
    answer[query[first]], sure[query[first]] = text[first], likeness[first]
    sure[query[second]] += 0.5 * (sure[query[second]] - likeness[second])
    sure[query[first]] += 0.5 * (np.bincount(query, minlength=size)[query[first]] == 1) * likeness[first]
    return answer, sure


def _names(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    pairs = pl.read_csv(SHARED / "data/linkage/opensanctions_names/cases.csv", infer_schema=False)
    pairs = pairs.filter(pl.col("schema") == "Person")
    pairs.write_parquet(folder / "names.parquet")
    truth = np.where((pairs["is_match"] == "true").to_numpy(), np.arange(pairs.height), -1)
    began = time.perf_counter()
    ours = alike_names(pairs["name1"], pairs["name2"])
    took = time.perf_counter() - began
    table, seconds = _peer("nomenklatura_names", folder)
    each = np.arange(pairs.height)
    peer = of_answers(each, table["score"].to_numpy(), truth, options.seed)
    yield from _compared(
        "person-name pairs",
        of_answers(each, ours, truth, options.seed),
        took,
        {"nomenklatura logic-v2": (peer, seconds)},
    )


PARTS = {
    "people": _people, "febrl": _febrl, "restaurants": _restaurants, "firms": _firms, "addresses": _addresses, "names": _names,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
