"""Files: everything there is, and what changed, each in a folder that is complete once its manifest is there."""

from profiles_pipeline.destinations.contract import Contract, Destination, Option

FILES = Destination(
    "files",
    Contract(),
    sink="files",
    options={
        "path": Option("text", required=True),
        "formats": Option("texts", ("parquet",), among=("parquet", "csv")),
        "contents": Option("texts", ("full", "delta"), among=("full", "delta")),
        "operations": Option("text", "letter", among=("letter", "word")),
        "rows_per_file": Option("count", 1_000_000),
    },
    next_step="read a folder once its _manifest.json is there",
    erasure="folders that were written before still have the rows: delete them, and what was copied from them",
)
