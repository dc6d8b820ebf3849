"""dlt's merge of a Parquet file by natural key, timed: ``python -m bench.intake_dlt FILE ADDRESS FOLDER``."""

from __future__ import annotations

import sys
import time

#: as ``ingestion.pool`` gives the feed; nothing has ended, so the index of ended versions is empty and left out
INDEXES = (
    ("unique index", "record_id"),
    ("unique index", "natural_hash"),
    ("index", "from_landing"),
    ("index", "citizen_id"),
)


def main() -> None:
    source, address, folder = sys.argv[1:]
    import dlt
    import psycopg2
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(source)
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        destination=dlt.destinations.postgres(address),
        dataset_name="bench_dlt",
        pipelines_dir=folder,
    )

    def load(rows: pa.Table) -> None:
        pipeline.run(
            [rows],
            table_name="payments",
            write_disposition={"disposition": "merge", "strategy": "upsert"},
            primary_key=["citizen_id", "pay_month"],
            loader_file_format="csv",
        )

    # The first row makes the table; then it gets the indexes that the pool's table has.
    load(table.slice(0, 1))
    with psycopg2.connect(address) as connection, connection.cursor() as cursor:
        for kind, column in INDEXES:
            cursor.execute(f"create {kind} on bench_dlt.payments ({column})")
    start = time.perf_counter()
    load(table.slice(1))
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
