"""dlt's merge of a Parquet file by natural key, timed: ``python -m bench.intake_dlt FILE ADDRESS FOLDER``."""

from __future__ import annotations

import sys
import time


def main() -> None:
    source, address, folder = sys.argv[1:]
    import dlt
    import pyarrow.parquet as pq

    table = pq.read_table(source)
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        destination=dlt.destinations.postgres(address),
        dataset_name="bench_dlt",
        pipelines_dir=folder,
    )
    start = time.perf_counter()
    pipeline.run(
        [table],
        table_name="payments",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        primary_key=["citizen_id", "pay_month"],
        loader_file_format="csv",
    )
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
