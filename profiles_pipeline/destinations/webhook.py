"""A server that takes changes as signed batches over HTTP, at least once and in order."""

from profiles_pipeline.destinations.contract import Destination, Option

WEBHOOK = Destination(
    "webhook",
    sink="webhook",
    options={
        "url": Option("text", ""),
        "url_env": Option("text", ""),
        "secret_env": Option("text", required=True),
        "batch_size": Option("count", 500),
        "attempts": Option("count", 6),
        "patience": Option("duration", "5m"),
        "timeout": Option("duration", "30s"),
    },
    address=("url", "url_env"),
    by_changes=True,
    next_step="answer 2xx once a batch is stored, and skip batches whose Idempotency-Key is known",
    erasure="the receiver gets a deletion, and has to delete what it has stored",
)
