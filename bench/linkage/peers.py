"""The peers, each in its own words and settings; runs in an environment of its own (``requirements/peers.txt``).

``python bench/linkage/peers.py PEER FOLDER`` reads the records of FOLDER and writes ``PEER.parquet`` (left, right, score; or
query, text, score) and prints the seconds it took, imports and reading not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl


def splink_people(folder: Path) -> tuple[pl.DataFrame, float]:
    import splink.comparison_library as compare
    from splink import DuckDBAPI, SettingsCreator, block_on

    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            _by_hand("number", 0.999),
            _by_hand("masked", 0.995),
            compare.JaroWinklerAtThresholds("name", [0.9, 0.7]).configure(term_frequency_adjustments=True),
            compare.DamerauLevenshteinAtThresholds("birth", [1, 2]),
            compare.ExactMatch("sex"),
            compare.ExactMatch("phone"),
            compare.ExactMatch("town").configure(term_frequency_adjustments=True),
            compare.JaroWinklerAtThresholds("address", [0.9, 0.7]),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("number"), block_on("masked", "birth"), block_on("sound", "birth"), block_on("phone"),
            block_on("birth", "town"), block_on("name", "town"),
        ],
    )  # fmt: skip
    records = pl.read_parquet(folder / "people.parquet").with_row_index("unique_id")
    return _splink(
        records,
        settings,
        DuckDBAPI(),
        [block_on("number")],
        0.45,
        [block_on("name", "birth"), block_on("phone")],
    )


def _by_hand(column: str, equal: float):  # type: ignore[no-untyped-def]
    """A number that differs between two records of one person is so rare that training finds none, and Splink refuses a
    chance of nought: the chance is given, the same as ours."""
    import splink.comparison_level_library as level
    import splink.comparison_library as compare

    return compare.CustomComparison(
        output_column_name=column,
        comparison_levels=[
            level.NullLevel(column),
            level.ExactMatchLevel(column).configure(m_probability=equal, fix_m_probability=True),
            level.ElseLevel().configure(m_probability=1 - equal, fix_m_probability=True),
        ],
    )


def splink_audit(folder: Path) -> tuple[pl.DataFrame, float]:
    """Splink trained on our persons with our levels: ``column``, ``n`` (0 is equal), ``m_splink``, ``u_splink``."""
    import splink.comparison_level_library as level
    import splink.comparison_library as compare
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    def comparison(column: str, *near):  # type: ignore[no-untyped-def]
        levels = [level.NullLevel(column), level.ExactMatchLevel(column), *near, level.ElseLevel()]
        return compare.CustomComparison(output_column_name=column, comparison_levels=levels)

    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            _by_hand("number", 0.999),
            _by_hand("masked", 0.995),
            comparison("name", level.ExactMatchLevel("sound"), level.DamerauLevenshteinLevel("name", 1)),
            comparison("birth", level.DamerauLevenshteinLevel("birth", 1)),
            comparison("sex"),
            comparison("phone"),
            comparison("town"),
            comparison("address", level.JaroWinklerLevel("address", 0.9)),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("number"),
            block_on("sound", "birth"),
            block_on("phone"),
        ],
    )
    records = pl.read_parquet(folder / "people.parquet").with_row_index("unique_id")
    began = time.perf_counter()
    linker = Linker(DuckDBAPI().register(records.to_arrow()), settings)
    linker.training.estimate_probability_two_random_records_match([block_on("number")], recall=0.45)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6)
    # One by the number, whose pairs are true without any other column's word; one for the number's own sake.
    for rule in (block_on("number"), block_on("phone")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    rows = []
    for told in linker.misc.save_model_to_json()["comparisons"]:
        levels = [x for x in told["comparison_levels"] if not x.get("is_null_level")]
        rows += [
            (told["output_column_name"], n, x.get("m_probability"), x.get("u_probability"))
            for n, x in enumerate(levels)
        ]
    took = time.perf_counter() - began
    schema = {"column": pl.String, "n": pl.Int64, "m_splink": pl.Float64, "u_splink": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row"), took


def splink_febrl(folder: Path) -> tuple[pl.DataFrame, float]:
    """The settings of Splink's own worked example for FEBRL."""
    import splink.comparison_library as compare
    from splink import DuckDBAPI, SettingsCreator, block_on

    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            compare.NameComparison("given_name").configure(term_frequency_adjustments=True),
            compare.NameComparison("surname").configure(term_frequency_adjustments=True),
            compare.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
            compare.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            compare.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            compare.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("soc_sec_id"), block_on("given_name", "surname"), block_on("date_of_birth"), block_on("postcode", "surname"),
            block_on("postcode", "given_name"), block_on("address_1", "street_number"),
        ],
    )  # fmt: skip
    records = pl.read_parquet(folder / "febrl.parquet").with_row_index("unique_id")
    return _splink(
        records, settings, DuckDBAPI(), [block_on("soc_sec_id")], 0.8,
        [block_on("date_of_birth"), block_on("surname", "given_name")],
    )  # fmt: skip


def _splink(records, settings, api, sure, recall, train):  # type: ignore[no-untyped-def]
    from splink import Linker

    began = time.perf_counter()
    linker = Linker(api.register(records.to_arrow()), settings)
    linker.training.estimate_probability_two_random_records_match(sure, recall=recall)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6)
    for rule in train:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_probability=0.001)
    table = pl.from_pandas(found.as_pandas_dataframe())
    took = time.perf_counter() - began
    left, right = pl.col("unique_id_l").cast(pl.Int64), pl.col("unique_id_r").cast(pl.Int64)
    return table.select(
        left=pl.min_horizontal(left, right), right=pl.max_horizontal(left, right), score="match_weight"
    ), took


def recordlinkage_febrl(folder: Path) -> tuple[pl.DataFrame, float]:
    import jellyfish

    # recordlinkage 0.14 calls the function by the name it had before jellyfish 1.
    jellyfish.jaro_winkler = jellyfish.jaro_winkler_similarity
    import recordlinkage

    records = pl.read_parquet(folder / "febrl.parquet").to_pandas()
    began = time.perf_counter()
    index = recordlinkage.Index()
    for block in ("given_name", "surname", "date_of_birth", "soc_sec_id", "postcode"):
        index.block(block)
    pairs = index.index(records)
    compare = recordlinkage.Compare()
    for column in ("given_name", "surname", "address_1"):
        compare.string(column, column, method="jarowinkler", threshold=0.85, label=column)
    for column in ("date_of_birth", "soc_sec_id", "postcode", "suburb", "state"):
        compare.exact(column, column, label=column)
    score = compare.compute(pairs, records).sum(axis=1)
    took = time.perf_counter() - began
    a, b = (np.asarray(pairs.get_level_values(n), dtype=np.int64) for n in (0, 1))
    return pl.DataFrame(
        {"left": np.minimum(a, b), "right": np.maximum(a, b), "score": score.to_numpy()}
    ), took


def tfidf_texts(folder: Path) -> tuple[pl.DataFrame, float]:
    """scikit-learn's character pairs, sparse_dot_topn's best two of all: the second tells how sure the first is, as with us."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sparse_dot_topn import sp_matmul_topn

    stock, asked = _texts(folder)
    began = time.perf_counter()
    words = TfidfVectorizer(analyzer="char", ngram_range=(2, 2), dtype=np.float32)
    matrix = words.fit_transform(stock)
    found = sp_matmul_topn(words.transform(asked), matrix.T.tocsr(), top_n=2, n_threads=2).tocoo()
    took = time.perf_counter() - began
    return pl.DataFrame({"query": found.row, "text": found.col, "score": found.data}), took


def rapidfuzz_texts(folder: Path) -> tuple[pl.DataFrame, float]:
    from rapidfuzz import fuzz, process

    stock, asked = _texts(folder)
    began = time.perf_counter()
    best = [process.extract(word, stock, scorer=fuzz.ratio, limit=2) for word in asked]
    took = time.perf_counter() - began
    rows = [(query, text, score) for query, two in enumerate(best) for _word, score, text in two]
    schema = {"query": pl.Int64, "text": pl.Int64, "score": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row"), took


def _texts(folder: Path) -> tuple[list[str], list[str]]:
    return tuple(pl.read_parquet(folder / f"{n}.parquet")["text"].to_list() for n in ("stock", "asked"))  # type: ignore[return-value]


def nomenklatura_names(folder: Path) -> tuple[pl.DataFrame, float]:
    """How alike the two names of every pair are, by logic-v2."""
    from followthemoney import model
    from nomenklatura.matching import get_algorithm

    pairs = pl.read_parquet(folder / "names.parquet")
    algorithm = get_algorithm("logic-v2")
    config = algorithm.default_config()

    def entity(schema: str, key: str, name: str):  # type: ignore[no-untyped-def]
        made = model.make_entity(schema)
        made.id = key
        made.add("name", name)
        return made

    began = time.perf_counter()
    scores = [
        algorithm.compare(entity(s, "a", a), entity(s, "b", b), config).score
        for s, a, b in pairs.select("schema", "name1", "name2").iter_rows()
    ]
    took = time.perf_counter() - began
    return pl.DataFrame({"pair": range(len(scores)), "score": scores}), took


PEERS: dict[str, Callable[[Path], tuple[pl.DataFrame, float]]] = {
    f.__name__: f
    for f in (
        splink_people,
        splink_audit,
        splink_febrl,
        recordlinkage_febrl,
        tfidf_texts,
        rapidfuzz_texts,
        nomenklatura_names,
    )
}

if __name__ == "__main__":
    peer, place = sys.argv[1], Path(sys.argv[2])
    answers, seconds = PEERS[peer](place)
    answers.write_parquet(place / f"{peer}.parquet")
    print(f"seconds {seconds:.3f}")
