"""Files: everything there is, and what changed, each in a folder that is complete once its manifest is there."""

from collections.abc import Mapping

from profiles_pipeline.destinations.contract import Contract, Destination, Option


def operation_column(options: Mapping[str, object]) -> str:
    """Return the name of the column that says what became of a row, in files of changes."""
    return "mutation_type" if options["operations"] == "word" else "op"


def beside(options: Mapping[str, object]) -> tuple[str, ...]:
    """Return what stands in a row with the properties: what became of it, where changes are written."""
    contents = options["contents"]
    assert isinstance(contents, tuple)
    return (operation_column(options),) if "delta" in contents else ()


FILES = Destination(
    "files",
    Contract(),
    sink="files",
    beside=beside,
    options={
        "path": Option("text", required=True),
        "formats": Option("texts", ("parquet",), among=("parquet", "csv")),
        "contents": Option("texts", ("full", "delta"), among=("full", "delta")),
        "operations": Option("text", "letter", among=("letter", "word")),
        "rows_per_file": Option("count", 1_000_000),
    },
    address=("path", "formats", "contents"),
    by_changes=True,
    next_step="read a folder once its _manifest.json is there",
    erasure="folders that were written before still have the rows: delete them, and what was copied from them",
)
