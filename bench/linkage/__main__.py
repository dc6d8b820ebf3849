"""Who is who, against the peers: persons, firms, addresses, names.

``make bench BENCH=linkage``; parts: ``python -m bench.linkage people firms``. Every peer runs in the same run on the same
records in an environment of its own (``make peers``). Limits are set on one half and scored on the other.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from bench.linkage import auditing, firms
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
from supervision.identity.places import Places
from supervision.identity.spec import linkage
from supervision.identity.spellings import alike_names, sounds

SHARED = Path(os.environ.get("CHUXIONG_SHARED", ROOT.parent / "shared"))
PEERS = ROOT / ".venv-peers" / "bin" / "python"
#: queries of the slow peers: a part, because all would take hours; their seconds are for that part
FEW = 500
#: of addresses, whose trigrams nearly all of a prefecture shares, one such query takes seconds
FEW_ADDRESSES = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.linkage")
    parser.add_argument("parts", nargs="*", default=[], choices=[*PARTS, []])
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
    notes: dict[str, object] = {
        "seed": options.seed,
        "records": options.records,
        "queries": options.queries,
        "load_before": load,
    }
    short = 0
    for part in options.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="cx-linkage-") as folder:
            figures += PARTS[part](Path(folder), options)
        # After every part: the whole takes long, and what was found by then is worth keeping.
        short = write("linkage", figures, notes=notes)
    return short


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
    times = f"{what}: times as fast as {best}"
    # Of a few hundred records both take hundredths of a second: the ratio is told and not judged.
    if peers[best][1] < 0.5:
        yield Figure(times, round(peers[best][1] / took, 2), "×")
    else:
        yield at_least(times, round(peers[best][1] / took, 2), "×", 2)
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


_RESTAURANT = LinkModel(
    (
        Comparison("name", _LIKE), Comparison("addr", (Near("similar", 0.9), Near("similar", 0.75))),
        Comparison("city"), Comparison("phone", (Near("edits", 1),)),
    ),
    (("phone",), ("name",), ("addr",), ("first", "city"), ("number", "city")),
)  # fmt: skip


def _restaurants(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    """Two guides: which entry of the one each entry of the other is. By its columns; the peers by all of them as one text."""
    base = SHARED / "data/linkage/restaurants"
    stock, asked = (pl.read_csv(base / f"{n}.csv", infer_schema=False) for n in ("fodors", "zagats"))
    gold = pl.read_csv(base / "match_fodors_zagats_more_attrs.csv", infer_schema=False).select(
        "fodors_id", "zagats_id", "gold"
    )
    place = {key: n for n, key in enumerate(stock["id"])}
    matched = {z: place[f] for f, z, g in gold.iter_rows() if g == "1"}
    truth = np.array([matched.get(z, -1) for z in asked["id"]])
    began = time.perf_counter()
    both = pl.concat([t.select("name", "addr", "city", "phone") for t in (stock, asked)])
    both = both.with_columns(pl.all().str.strip_chars(" '\"").str.to_lowercase().replace("", None))
    both = both.with_columns(
        phone=pl.col("phone").str.replace_all(r"\D", "").replace("", None),
        first=pl.col("name").str.extract(r"^(\w+)", 1),
        number=pl.col("addr").str.extract(r"^(\d+)", 1),
    )
    links = link(both, _RESTAURANT)
    across = (links.left < stock.height) & (links.right >= stock.height)
    query, text, weight = links.right[across] - stock.height, links.left[across], links.score[across]
    answer, sure = _first(query, text, np.maximum(weight, 0), asked.height)
    took = time.perf_counter() - began
    whole = pl.concat_str("name", "addr", "city", "phone", separator=" ", ignore_nulls=True)
    peers = {}
    stock.select(text=whole).write_parquet(folder / "stock.parquet")
    asked.select(text=whole).write_parquet(folder / "asked.parquet")
    for name in ("tfidf_texts", "rapidfuzz_texts"):
        table, seconds = _peer(name, folder)
        theirs, score_ = _first(*(table[c].to_numpy() for c in ("query", "text", "score")), asked.height)
        peers[name] = (of_answers(theirs, score_, truth, options.seed), seconds)
    yield from _compared("restaurants", of_answers(answer, sure, truth, options.seed), took, peers)


# ---- texts -----------------------------------------------------------------------------------


def _firms(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    stock, asked = firms.organisations(SHARED, options.records, options.queries, options.seed)
    yield from _texts("organisation names", folder, stock, asked["query"], asked["truth"].to_numpy(), options)


def _addresses(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    stock, asked = firms.addresses(SHARED, options.records, options.queries, options.seed)
    yield from _texts(
        "addresses", folder, stock, asked["query"], asked["truth"].to_numpy(), options, held_by=Places
    )


def _texts(
    what: str, folder: Path, stock: pl.Series, asked: pl.Series, truth: np.ndarray, options: argparse.Namespace,
    held_by: type[Stock] | type[Places] = Stock,
) -> Iterator[Figure]:  # fmt: skip
    began = time.perf_counter()
    held = held_by(stock)
    built = time.perf_counter() - began
    found = held.closest(asked, most=2)
    took = time.perf_counter() - began
    answer, sure = _first(found.query, found.text, found.likeness, len(asked))
    yield Figure(f"{what}: stock built", round(built, 2), "s")
    yield Figure(f"{what}: answers a second", round(len(asked) / (took - built)), "1/s")
    peers = {}
    trigrams = FEW if held_by is Stock else FEW_ADDRESSES
    for name, queries in (("tfidf_texts", 5_000), ("trigram_texts", trigrams), ("rapidfuzz_texts", FEW)):
        few = min(queries, len(asked))
        pl.DataFrame({"text": stock}).write_parquet(folder / "stock.parquet")
        pl.DataFrame({"text": asked[:few]}).write_parquet(folder / "asked.parquet")
        table, seconds = _trigrams(folder) if name == "trigram_texts" else _peer(name, folder)
        theirs, score_ = _first(*(table[c].to_numpy() for c in ("query", "text", "score")), few)
        scored = of_answers(theirs, score_, truth[:few], options.seed)
        # Few queries leave room for luck: ours on the same few, with a limit set on them alone.
        same = of_answers(answer[:few], sure[:few], truth[:few], options.seed)
        yield replace(
            at_least(
                f"{what}, the same {few} queries: F1 against {name}",
                round(same.f1, 4),
                "",
                round(scored.f1, 4),
            ),
            peer=round(scored.f1, 4),
        )
        yield replace(
            at_least(f"{what}, the same {few} queries: recall at precision 0.98 against {name}", round(same.recall_at_98, 4), "", round(scored.recall_at_98, 4)),
            peer=round(scored.recall_at_98, 4),
        )  # fmt: skip
        peers[f"{name} ({few} queries)"] = (scored, seconds)
        began = time.perf_counter()
        held.closest(asked[:few], most=2)
        yield at_least(
            f"{what}: times as fast as {name}, {few} queries, stock and all",
            round(seconds / (built + time.perf_counter() - began), 2),
            "×",
            2,
        )
    yield from _compared(what, of_answers(answer, sure, truth, options.seed), took, peers)


def _trigrams(folder: Path) -> tuple[pl.DataFrame, float]:
    """pg_trgm with a GIN index on the same texts in a server of its own: the two most similar of every query."""
    import psycopg2

    from chuxiong.up import services

    home = Path(tempfile.mkdtemp(prefix="cx-trgm-"))
    running = services.start(home)
    try:
        owner = psycopg2.connect(running.environment["CHUXIONG_DATABASE_URL_OWNER"])
        cursor = owner.cursor()
        stock, asked = (pl.read_parquet(folder / f"{n}.parquet")["text"] for n in ("stock", "asked"))
        cursor.execute("create temp table texts (n int, text text)")
        rows = io.BytesIO(
            pl.DataFrame({"n": np.arange(len(stock)), "text": stock}).write_csv(include_header=False).encode()
        )
        began = time.perf_counter()
        cursor.copy_expert("copy texts from stdin (format csv)", rows)
        cursor.execute("create index on texts using gin (text gin_trgm_ops)")
        cursor.execute("analyze texts")
        cursor.execute("set pg_trgm.similarity_threshold = 0.3")
        found = []
        for n, text in enumerate(asked):
            cursor.execute(
                "select n, similarity(text, %s) from texts where text %% %s order by 2 desc, 1 limit 2",
                [text, text],
            )
            found += [(n, *row) for row in cursor.fetchall()]
        took = time.perf_counter() - began
        owner.close()
    finally:
        running.stop()
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(running.postgres.sockets, ignore_errors=True)
    schema = {"query": pl.Int64, "text": pl.Int64, "score": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row"), took


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


def _audit(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    drawn = people(SHARED, options.records, options.seed)
    visible = pl.coalesce("masked", pl.col("number").str.slice(0, 4) + pl.col("number").str.slice(-4))
    records = drawn.with_columns(sound=sounds(drawn["name"]), masked=visible)
    gold = pairs_within(records["who"].to_numpy())
    records = records.drop("who")
    records.write_parquet(folder / "people.parquet")
    theirs, seconds = _peer("splink_audit", folder)
    table = auditing.beside(auditing.ours(records, gold), theirs)
    auditing.show(table)
    # What never happens in the drawn data (a wrong number that checks) has no true weight.
    told = table.filter((pl.col("m_true") > 0.001) & pl.col("bits_splink").is_not_null())
    yield at_most(
        "audit: our weights off the truth, worst of the levels that happen, bits",
        round(float(told["off"].abs().max()), 2), "bits", round(float((told["bits_splink"] - told["bits_true"]).abs().max()), 2),
    )  # fmt: skip
    yield Figure(
        "audit: our weights apart from Splink's, at most, bits",
        round(float(told["apart"].abs().max()), 2),
        "bits",
    )
    yield Figure("audit: Splink's training", round(seconds, 2), "s")


PARTS = {
    "people": _people, "febrl": _febrl, "restaurants": _restaurants, "firms": _firms, "addresses": _addresses, "names": _names,
    "audit": _audit,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
