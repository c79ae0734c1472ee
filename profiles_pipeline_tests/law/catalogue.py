"""Features that generated projects choose from: each as YAML and as the oracle knows it.

The YAML stays as a person would write it for Snowflake; the oracle's side is written from the meaning alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from profiles_pipeline_tests.law.oracle import GRAPH, Cell, Person, Row, RowVar, Var

STITCHER = "models/user_id_stitcher"
END = "'{{end_time.Format(\"2006-01-02 15:04:05\")}}'"
FRAME = "rows between unbounded preceding and unbounded following"


@dataclass(frozen=True)
class Feature:
    """A var in both languages, and the names of those that it needs."""

    yaml: Mapping[str, Cell]
    var: Var | RowVar
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.var.name


def _over(source: str, name: str, select: str, var: Mapping[str, Cell], **more: Cell) -> Feature:
    """Return a var over the rows of an input or SQL model. `more`: keys of the YAML, and `needs`."""
    needs = more.pop("needs", ())
    models = {name: f"models/{name}" for name in ("daily", "owned", "purchases")}
    path = {**models, GRAPH: STITCHER}.get(source, f"inputs/{source}")
    default = more.get("default_value")
    yaml = {"name": name, "select": select, "from": path, **more}
    value = default.strip("'") if isinstance(default, str) else default
    return Feature(yaml, Var(name, source=source, default=value, **var), needs)


def _derived(name: str, select: str, value: Callable[[Person], Cell], needs: tuple[str, ...], **more: Cell) -> Feature:
    return Feature({"name": name, "select": select, **more}, Var(name, derived=value), needs)


def _on_rows(name: str, select: str, var: RowVar, **more: Cell) -> Feature:
    return Feature({"name": name, "select": select, "from": f"inputs/{var.source}", **more}, var)


# --- small words of SQL, with its nulls --------------------------------------------------------------------------


def _is(column: str, value: Cell) -> Callable[[Row, Person], bool]:
    return lambda row, _: row[column] == value


def _above(column: str, bound: int) -> Callable[[Row, Person], bool]:
    return lambda row, _: row[column] is not None and row[column] > bound


def _age(row: Row, person: Person) -> int | None:
    """Days between the day of a row and that of the end time."""
    return (person.now.date() - row["ts"].date()).days if isinstance(row["ts"], datetime) else None


def _days_old(low: int, high: int) -> Callable[[Row, Person], bool]:
    def holds(row: Row, person: Person) -> bool:
        age = _age(row, person)
        return age is not None and low <= age <= high

    return holds


def _hours_between(a: datetime, b: datetime) -> int:
    """Boundaries of hours between two times."""
    whole = timedelta(hours=1)
    return (b - datetime.min) // whole - (a - datetime.min) // whole


def _before(var: str) -> Callable[[Row, Person], bool]:
    return lambda row, person: None not in (row["ts"], person[var]) and row["ts"] < person[var]


def _extreme(column: str, order: str, choose: Callable[..., Cell]) -> Callable[[Sequence[Row], Person], Cell]:
    def found(rows: Sequence[Row], _: Person) -> Cell:
        known = [row for row in rows if row[order] is not None]
        return choose(known, key=lambda row: row[order])[column] if known else None

    return found


def _known(rows: Sequence[Row], column: str) -> list[Cell]:
    return [row[column] for row in rows if row[column] is not None]


def _span(rows: Sequence[Row], _: Person) -> Cell:
    known = _known(rows, "amount")
    return max(known) - min(known) if known else None


def _share(rows: Sequence[Row], _: Person) -> Cell:
    known = _known(rows, "amount")
    return sum(known) / len(rows) if known else None


def _days_of_life(rows: Sequence[Row], _: Person) -> Cell:
    known = _known(rows, "ts")
    return (max(known).date() - min(known).date()).days if known else None


def _days_since_last(rows: Sequence[Row], person: Person) -> Cell:
    known = _known(rows, "ts")
    return (person.now.date() - max(known).date()).days if known else None


def _days_since(var: str) -> Callable[[Person], Cell]:
    def found(person: Person) -> Cell:
        return None if person[var] is None else (person.now.date() - person[var].date()).days

    return found


# --- vars over inputs --------------------------------------------------------------------------------------------


def _aggregates(level: int) -> list[Feature]:
    buy = {"where": "event = 'buy'"}
    is_buy = {"where": _is("event", "buy")}
    by_time = {"order": ("ts",)}
    return [
        _over("tracks", "n_events", "count(*)", {}),
        _over("tracks", "n_amounts", "count(amount)", {"kind": "count", "column": "amount"}, default_value=0),
        _over("tracks", "n_buys", "count(*)", is_buy, **buy, default_value=0),
        _over("tracks", "n_large", "count(*)", {"where": _above("amount", level)}, where=f"amount > {level}"),
        _over("tracks", "sum_amount", "sum(amount)", {"kind": "sum", "column": "amount"}),
        _over("tracks", "sum_price", "sum(price)", {"kind": "sum", "column": "price", **is_buy}, **buy),
        _over("tracks", "sum_weight", "sum(weight)", {"kind": "sum", "column": "weight"}),
        _over("tracks", "first_seen", "min(ts)", {"kind": "min", "column": "ts"}),
        _over("tracks", "last_seen", "max(ts)", {"kind": "max", "column": "ts"}),
        _over("tracks", "max_event", "max(event)", {"kind": "max", "column": "event"}, default_value="'none'"),
        _over("tracks", "min_price", "min(price)", {"kind": "min", "column": "price"}),
        _over("tracks", "avg_amount", "avg(amount)", {"kind": "avg", "column": "amount"}),
        _over("tracks", "avg_weight", "avg(weight)", {"kind": "avg", "column": "weight", **is_buy}, **buy),
        _over("tracks", "n_kinds", "count(distinct event)", {"kind": "count_distinct", "column": "event"}),
        _over(
            "tracks",
            "n_active_days",
            "count(distinct ts::date)",
            {"kind": "count_distinct", "column": lambda row, _: row["ts"] and row["ts"].date()},
        ),
        _over("tracks", "event_of_last", "max_by(event, n)", {"kind": _extreme("event", "n", max)}),
        _over("tracks", "event_of_first", "min_by(event, n)", {"kind": _extreme("event", "n", min)}),
        _over(
            "tracks", "amount_of_last_buy", "max_by(amount, n)", {"kind": _extreme("amount", "n", max), **is_buy}, **buy
        ),
        _over(
            "tracks",
            "first_event",
            "first_value(event)",
            {"kind": "first", "column": "event", **by_time},
            window={"order_by": ["ts asc"], "frame_clause": FRAME},
        ),
        _over(
            "tracks",
            "last_event",
            "last_value(event)",
            {"kind": "last", "column": "event", **by_time},
            window={"order_by": ["ts asc"], "frame_clause": FRAME},
        ),
        _over(
            "tracks",
            "last_known_amount",
            "last_value(amount) ignore nulls",
            {"kind": "last_known", "column": "amount", **by_time},
            window={"order_by": ["ts"], "frame_clause": FRAME},
        ),
        _over(
            "tracks",
            "kinds",
            "array_agg(distinct event) within group (order by event)",
            {"kind": "distinct", "column": "event"},
        ),
        _over(
            "tracks",
            "kinds_text",
            "listagg(distinct event, ',') within group (order by event)",
            {"kind": "joined", "column": "event"},
        ),
        _over(
            "tracks",
            "path",
            "array_agg(event) within group (order by n)",
            {"kind": "list", "column": "event", "order": ("n",)},
        ),
        _over("tracks", "any_flag", "boolor_agg(flag)", {"kind": "any", "column": "flag"}),
        _over("tracks", "median_amount", "median(amount)", {"kind": "median", "column": "amount"}),
        _over("tracks", "usual_event", "mode(event)", {"kind": "most_frequent", "column": "event"}),
        _over("tracks", "stddev_amount", "stddev(amount)", {"kind": "stddev", "column": "amount"}),
        _over(
            "tracks",
            "spent",
            "sum(case when event = 'buy' then amount else 0 end)",
            {"kind": "sum", "column": lambda row, _: row["amount"] if row["event"] == "buy" else 0},
        ),
        _over("tracks", "amount_span", "max(amount) - min(amount)", {"kind": _span}),
        _over("tracks", "share", "sum(amount) / count(*)", {"kind": _share}),
        _over("tracks", "days_of_life", "datediff(day, min(ts), max(ts))", {"kind": _days_of_life}),
        _over("tracks", "days_quiet", "datediff(day, max(ts), current_date())", {"kind": _days_since_last}),
        _over(
            "tracks",
            "own_id",
            "max(user_main_id)",
            {"kind": "max", "column": "main id", "where": _above("amount", level)},
            where=f"amount > {level}",
        ),
        _over(
            "tracks",
            "n_known",
            "count(*)",
            {"where": lambda row, _: row["user_id"] is not None},
            where="user_id is not null",
        ),
        _over("orders", "n_orders", "count(*)", {}, default_value=0),
        _over("orders", "total", "sum(total)", {"kind": "sum", "column": "total"}),
        _over("orders", "n_paid", "count(*)", {"where": _is("status", "paid")}, where="status = 'paid'"),
        _over("orders", "first_order", "min(ts)", {"kind": "min", "column": "ts"}),
        _over(
            "orders",
            "last_status",
            "last_value(status)",
            {"kind": "last", "column": "status", **by_time},
            window={"order_by": ["ts asc"], "frame_clause": FRAME},
        ),
        _over("orders", "n_statuses", "count(distinct status)", {"kind": "count_distinct", "column": "status"}),
        _over("identifies", "n_identifies", "count(*)", {}),
        _over(
            "identifies",
            "last_source",
            "first_value(source)",
            {
                "kind": lambda rows, _: (
                    max(  # the latest of those with a time; ties by the smallest text
                        sorted(_with_source(rows), key=lambda r: r["source"]), key=lambda r: r["ts"]
                    )["source"]
                    if _with_source(rows)
                    else None
                )
            },
            where="source is not null and ts is not null",
            window={"order_by": ["ts desc"], "frame_clause": FRAME},
        ),
        _over("plans", "plan", "max(plan)", {"kind": "max", "column": "plan"}, default_value="'free'"),
        _over("plans", "seats", "sum(seats)", {"kind": "sum", "column": "seats"}),
        _over("daily", "busiest_day", "max(n_rows)", {"kind": "max", "column": "n_rows"}),
        _over("purchases", "n_purchases", "count(*)", {}, default_value=0),
        _over("purchases", "spent_twice", "sum(twice)", {"kind": "sum", "column": "twice"}),
        _over("owned", "owned_views", "count(*)", {"where": _is("event", "view")}, where="event = 'view'"),
        _over("owned", "owned_median", "median(amount)", {"kind": "median", "column": "amount"}),
        _over(
            GRAPH,
            "n_emails",
            "sum(case when other_id_type = 'email' then 1 else 0 end)",
            {"kind": "sum", "column": lambda row, _: int(row["other_id_type"] == "email")},
        ),
        _over(GRAPH, "n_ids", "count(distinct other_id)", {"kind": "count_distinct", "column": "other_id"}),
    ]


def _with_source(rows: Sequence[Row]) -> list[Cell]:
    return [row for row in rows if row["source"] is not None and row["ts"] is not None]


def _rolling(level: int) -> list[Feature]:
    """Windows that end at the end time, as people write them."""
    since = "datediff(day, date(ts), current_date())"

    def hours_ago(row: Row, person: Person) -> bool:
        return row["ts"] is not None and _hours_between(row["ts"], person.now) < 36

    def this_month(row: Row, person: Person) -> bool:
        return row["ts"] is not None and row["ts"].date().replace(day=1) == person.now.date().replace(day=1)

    return [
        _over("tracks", "n_3d", "count(*)", {"days": 3}, where=f"{since} <= 3", default_value=0),
        _over("tracks", "n_30h", "count(*)", {"hours": 30}, where="ts >= dateadd(hour, -30, current_timestamp())"),
        _over(
            "tracks",
            "sum_2d",
            "sum(case when datediff(day, ts, current_date()) between 0 and 2 then amount end)",
            {"kind": "sum", "column": lambda row, p: row["amount"] if _days_old(0, 2)(row, p) else None},
        ),
        _over("tracks", "max_4d", "max(amount)", {"kind": "max", "column": "amount", "days": 4},
              where="current_date - ts::date <= 4"),
        _over("tracks", "kinds_2d", "count(distinct event)", {"kind": "count_distinct", "column": "event", "days": 2},
              where="date_trunc('day', ts) >= dateadd(day, -2, current_date())"),
        _over("tracks", "n_1d_macro", "count(*)", {"days": 1}, where="{{days_ago('ts')}} <= 1"),
        _over("tracks", "n_today", "count(*)", {"days": 0}, where=f"ts >= {END}::date"),
        _over("tracks", "n_36h", "count(*)", {"where": hours_ago},
              where="datediff(hour, ts, current_timestamp()) < 36"),
        _over("tracks", "n_2_to_4d", "count(*)", {"where": _days_old(2, 4)},
              where=f"{since} >= 2 and {since} <= 4"),
        _over("tracks", "n_month", "count(*)", {"where": this_month},
              where="date_trunc('month', ts) = date_trunc('month', current_date())"),
        _over("tracks", "avg_weight_3d", "avg(weight)", {"kind": "avg", "column": "weight", "days": 3},
              where="ts::date >= current_date - 3"),
        _over("tracks", "last_of_2d", "last_value(event)",
              {"kind": "last", "column": "event", "days": 2, "order": ("ts",)},
              where=f"{since} <= 2", window={"order_by": ["ts asc"], "frame_clause": FRAME}),
        _over("tracks", "large_5d", "count(*)", {"where": _above("amount", level), "days": 5},
              where=f"amount > {level} and datediff('day', ts, {END}::timestamp) <= 5"),
        _over("orders", "total_2d", "sum(total)", {"kind": "sum", "column": "total", "days": 2},
              where="ts > dateadd(day, -2, current_date()) or ts = dateadd(day, -2, current_date())"),
        _over("orders", "n_48h", "count(*)", {"hours": 48},
              where="ts >= current_timestamp() - interval '48 hours'", default_value=0),
        _over("owned", "owned_2d", "sum(amount)", {"kind": "sum", "column": "amount", "days": 2},
              where="datediff(day, ts, current_date()) <= 2"),
        _over("purchases", "bought_3d", "sum(twice)", {"kind": "sum", "column": "twice", "days": 3},
              where=f"{since} <= 3"),
    ]  # fmt: skip


def _on_other_vars() -> list[Feature]:
    """Row filters and values that use other vars."""

    def recent(row: Row, person: Person) -> bool:
        seen, time = person["last_seen"], row["ts"]
        return None not in (seen, time) and time >= seen - timedelta(days=2)

    def above_mean(row: Row, person: Person) -> bool:
        mean, amount = person["avg_amount"], row["amount"]
        return None not in (mean, amount) and amount > mean

    def over_total(row: Row, person: Person) -> Cell:
        total, amount = person["sum_amount"], row["amount"]
        return None if None in (total, amount) else total - amount

    def as_recent(row: Row, person: Person) -> bool:
        most, amount = person["max_4d"], row["amount"]
        return None not in (most, amount) and amount >= most

    return [
        _over("tracks", "n_as_recent", "count(*)", {"where": as_recent},
              where="amount >= {{user.max_4d}}", needs=("max_4d",)),
        _over("tracks", "n_before_order", "count(*)", {"where": _before("first_order")},
              where="ts < {{user.first_order}}", default_value=0, needs=("first_order",)),
        _over("orders", "orders_before_last", "count(*)", {"where": _before("last_seen")},
              where='ts < {{user.Var("last_seen")}}', needs=("last_seen",)),
        _over("tracks", "n_last_days", "count(*)", {"where": recent},
              where="ts >= dateadd(day, -2, {{user.last_seen}})", needs=("last_seen",)),
        _over("tracks", "n_above_mean", "count(*)", {"where": above_mean},
              where="amount > {{user.avg_amount}}", needs=("avg_amount",)),
        _over("tracks", "rest", "max({{user.sum_amount}} - amount)", {"kind": "max", "column": over_total},
              needs=("sum_amount",)),
    ]  # fmt: skip


def _from_vars(level: int) -> list[Feature]:
    """Vars made of vars."""

    def ratio(person: Person) -> Cell:
        total, count = person["sum_amount"], person["n_amounts"]
        return None if total is None or not count else total / count

    def rank(person: Person) -> int:
        def key(p: Person) -> float:
            return -p["spent"] if p["spent"] is not None else -float("inf")

        return 1 + sum(key(other) < key(person) for other in person.world.persons.values())

    def is_big(person: Person) -> str:
        return "big" if person["sum_amount"] is not None and person["sum_amount"] > level else "small"

    return [
        _derived("days_since_seen", "datediff(day, {{user.last_seen}}, current_date())", _days_since("last_seen"),
                 ("last_seen",)),
        _derived("days_since_order", "{{days_ago('{{user.Var(\"first_order\")}}')}}", _days_since("first_order"),
                 ("first_order",)),
        _derived("size", f"case when {{{{user.sum_amount}}}} > {level} then 'big' else 'small' end", is_big,
                 ("sum_amount",)),
        _derived("mean_amount", "{{user.sum_amount}} / {{user.n_amounts}}", ratio, ("sum_amount", "n_amounts"),
                 where="{{user.n_amounts}} > 0"),
        _derived("rank_of_spent", "rank()", rank, ("spent",), window={"order_by": ["{{user.spent}} desc"]}),
        Feature({"name": "tier", "default_value": "'basic'"}, Var("tier", default="basic")),
        Feature({"name": "today", "select": "current_date()"}, Var("today", derived=lambda person: person.now.date())),
    ]  # fmt: skip


# --- vars on rows ------------------------------------------------------------------------------------------------

PERSON = "{{tracks}}.user_main_id"


def _previous(rows: Sequence[Row], place: int) -> Cell:
    return rows[place - 1]["ts"] if place else None


def _gap(row: Row) -> int | None:
    """Minutes between a row and the one before it of the same person, by the clock."""
    before, time = row["prev_ts"], row["ts"]
    if not isinstance(before, datetime) or not isinstance(time, datetime):
        return None
    minute = timedelta(minutes=1)
    return (time - datetime.min) // minute - (before - datetime.min) // minute


def _is_new(rows: Sequence[Row], place: int) -> int:
    gap = _gap(rows[place])
    return int(rows[place]["prev_ts"] is None or (gap is not None and gap >= 30))


def _row_vars() -> list[Feature]:
    in_order = {"partition_by": [PERSON], "order_by": ["ts", "n"]}
    return [
        _on_rows("prev_ts", "lag(ts)", RowVar("prev_ts", "tracks", _previous, order=("ts", "n")), window=in_order),
        Feature(
            {
                "name": "new_session",
                "select": "case when prev_ts is null or datediff(minute, prev_ts, ts) >= 30 then 1 else 0 end",
                "from": "inputs/tracks",
            },
            RowVar("new_session", "tracks", _is_new, order=("ts", "n")),
            ("prev_ts",),
        ),
        _on_rows(
            "place",
            "row_number()",
            RowVar("place", "tracks", lambda _, place: place + 1, order=("n",)),
            window={"partition_by": ["main_id"], "order_by": ["n"]},
        ),
        _on_rows(
            "n_alike",
            "count(*)",
            RowVar("n_alike", "tracks", lambda rows, _: len(rows), partition="event"),
            window={"partition_by": ["event"]},
        ),
        _on_rows(
            "own_start",
            "min(ts)",
            RowVar("own_start", "tracks", lambda rows, _: min(_known(rows, "ts"), default=None)),
            window={"partition_by": ["user_main_id"]},
        ),
    ]


def _of_row_vars() -> list[Feature]:
    def second(row: Row, _: Person) -> Cell:
        return row["place"] == 2

    def first_day(row: Row, _: Person) -> bool:
        ts, start = row["ts"], row["own_start"]
        return None not in (ts, start) and (ts - start) < timedelta(hours=24)

    return [
        _over("tracks", "n_sessions", "sum(new_session)", {"kind": "sum", "column": "new_session"},
              needs=("new_session", "prev_ts")),
        _over("tracks", "longest_pause", "max(datediff(minute, prev_ts, ts))",
              {"kind": "max", "column": lambda row, _: _gap(row)}, needs=("prev_ts",)),
        _over("tracks", "second_event", "max(event)", {"kind": "max", "column": "event", "where": second},
              where="place = 2", needs=("place",)),
        _over("tracks", "crowd", "max(n_alike)", {"kind": "max", "column": "n_alike"}, needs=("n_alike",)),
        _over("tracks", "n_first_day", "count(*)", {"where": first_day},
              where="ts < dateadd(hour, 24, own_start)", needs=("own_start",)),
        _over("tracks", "sessions_2d", "sum(new_session)", {"kind": "sum", "column": "new_session", "days": 2},
              where="datediff(day, ts, current_date()) <= 2", needs=("new_session", "prev_ts")),
    ]  # fmt: skip


def of_persons(level: int) -> dict[str, list[Feature]]:
    """Return the entity vars that a project may have, by kind; `level` is the number that some compare with."""
    kinds: dict[str, list[Feature]] = {}
    for feature in _aggregates(level):
        source = feature.var.source
        kinds.setdefault("tracks" if source == "tracks" else "other sources", []).append(feature)
    return kinds | {
        "rolling": _rolling(level),
        "on other vars": _on_other_vars(),
        "from vars": _from_vars(level),
        "of row vars": _of_row_vars(),
    }


def of_rows() -> tuple[Feature, ...]:
    """Return the input vars."""
    return tuple(_row_vars())


def of_buyers(level: int) -> tuple[Feature, ...]:
    """Return the vars of the cohort of buyers."""
    own = [
        _over("tracks", "buyers_events", "count(*)", {"cohort": "buyers"}),
        _over("tracks", "buyers_recent", "sum(amount)",
              {"kind": "sum", "column": "amount", "days": 3, "cohort": "buyers"},
              where="datediff(day, ts, current_date()) <= 3"),
        _over("orders", "buyers_total", "sum(total)", {"kind": "sum", "column": "total", "cohort": "buyers"},
              default_value=level),
    ]  # fmt: skip
    return tuple(own)


def daily(sources: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Return rows of tracks counted by ids and day, as the SQL model of this name does."""
    counts: dict[tuple[Cell, Cell, date | None], int] = {}
    for row in sources["tracks"]:
        key = (row["user_id"], row["anonymous_id"], row["ts"].date() if isinstance(row["ts"], datetime) else None)
        counts[key] = counts.get(key, 0) + 1
    return [{"user_id": u, "anonymous_id": a, "day": d, "n_rows": n} for (u, a, d), n in counts.items()]


def owned(sources: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Return the rows of tracks, as the SQL model of this name does, whose rows have main ids instead of ids."""
    return [{name: row[name] for name in ("user_id", "anonymous_id", "event", "amount", "ts")}
            for row in sources["tracks"]]  # fmt: skip


def purchases(sources: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Return the rows of tracks that are purchases, as the SQL model of this name does."""
    return [
        {"user_id": row["user_id"], "ts": row["ts"], "twice": None if row["amount"] is None else 2 * row["amount"]}
        for row in sources["tracks"]
        if row["event"] == "buy"
    ]
