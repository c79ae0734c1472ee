"""What the canonical dialect says and PostgreSQL says otherwise: one table of small rewrites of trees.

They work on what DuckDB would be given, so that there is one dialect to come from: what a tree of another origin means
on DuckDB has been settled before.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.folding import lower_case
from profiles_pipeline.dialects.postgres import aggregates, documents, groups, lists, numbers, texts, times
from profiles_pipeline.dialects.postgres.collation import by_bytes, compare_by_bytes
from profiles_pipeline.dialects.postgres.helpers import called
from profiles_pipeline.dialects.postgres.words import cast_to, function
from profiles_pipeline.dialects.rewriting import Rewrite, by_type, pairs_in_query, rewritten
from profiles_pipeline.sql import build, nodes_of


def in_postgres(tree: exp.Expr) -> exp.Expr:
    """Return a tree of the canonical dialect as one for PostgreSQL. Changes the tree in place."""
    _tell_documents_apart(tree)
    _fold_names(tree)
    return compare_by_bytes(rewritten(tree, _BY_TYPE))


_OF_DOCUMENTS = frozenset(["atom", "fullkey", "id", "json", "key", "parent", "path", "rowid", "type", "value"])
"""The columns of JSON_EACH and JSON_TREE."""
_TEXTS_OF_DOCUMENTS = frozenset(["fullkey", "key", "path"])


def _tell_documents_apart(tree: exp.Expr) -> None:
    """Give the elements of a document a name of their own: here it would hide a table of that name around the query."""
    for table in nodes_of(tree, exp.Table):
        select = table.find_ancestor(exp.Select)
        if not isinstance(table.this, exp.Anonymous) or not table.alias or select is None:
            continue
        if table.this.name.upper() in ("JSON_EACH", "JSON_TREE"):
            name, inside = table.alias, {id(column) for column in nodes_of(table, exp.Column)}
            for column in nodes_of(select, exp.Column):
                if column.table == name and column.name.lower() in _OF_DOCUMENTS and id(column) not in inside:
                    column.set("table", exp.to_identifier(f"{name}_elements"))
                    if column.name.lower() in _TEXTS_OF_DOCUMENTS:  # functions cannot say so of what they return
                        column.replace(by_bytes(column.copy()))
            table.args["alias"].set("this", exp.to_identifier(f"{name}_elements"))


# --- names ----------------------------------------------------------------------------------------------------------


def _fold_names(tree: exp.Expr) -> None:
    """Spell names of columns and aliases in lower case: the canonical dialect compares them without regard to it."""
    tables = {table.name for table in nodes_of(tree, exp.Table) if table.this.args.get("quoted")}
    for name in nodes_of(tree, exp.Identifier):
        parent = name.parent
        is_relation = isinstance(parent, exp.Table) or (isinstance(parent, exp.Schema) and name.arg_key == "this")
        if is_relation and name.args.get("quoted"):
            continue
        if isinstance(parent, exp.Column) and name.arg_key == "table" and name.name in tables:
            continue
        if isinstance(parent, exp.Anonymous | exp.Placeholder | exp.DataType | exp.Collate):
            continue
        name.set("this", lower_case(name.name))
        name.set("quoted", True)


# --- calls ----------------------------------------------------------------------------------------------------------


def _joined_nulls(node: exp.Expr) -> exp.Expr:
    """a IS NOT DISTINCT FROM b between columns of a join: lists are equal where NULLs are, and can be hashed."""
    inside: exp.Expr | None = node
    while isinstance(inside, exp.And | exp.Paren | exp.NullSafeEQ):
        inside = inside.parent
    sides = (node.this, node.expression)
    if not isinstance(inside, exp.Join) or not all(isinstance(side, exp.Column) for side in sides):
        return node
    one, other = (exp.Array(expressions=[side]) for side in sides)
    return exp.EQ(this=one, expression=other)


def _by_name(node: exp.Expr) -> exp.Expr:
    rewrite = _CALLS.get(node.name.upper())
    return (rewrite(node.expressions) if rewrite is not None else None) or node


_CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "HASH": numbers.hash_of,
    "JSON_TYPE": lambda a: called("json_type", *map(documents.document, a)),
    "LIST_COUNT": lambda a: function("CARDINALITY", function("ARRAY_REMOVE", a[0], exp.Null())),
    "ERROR": lambda a: called("error", *a),
    "MAP_FROM_ENTRIES": lambda a: called("map_from_entries", *a),
    "URL_DECODE": lambda a: called("url_decode", *a),
    "JSON_EACH": lambda a: called("json_each", documents.document(a[0])) if len(a) == 1 else None,
    "JSON_TREE": lambda a: called("json_tree", documents.document(a[0])) if len(a) == 1 else None,
    "JSON_VALID": lambda a: build(":x IS NOT NULL", x=called("json", cast_to(a[0], "TEXT"))),
    "TO_JSON": lambda a: documents.as_json(a[0]) if len(a) == 1 else None,
    "JSON_ARRAY_LENGTH": lambda a: function("JSONB_ARRAY_LENGTH", *map(documents.document, a)),
    "JSON_CONTAINS": lambda a: build(":x @> :y", x=documents.document(a[0]), y=documents.document(a[1])),
    "LIST_SUM": lambda a: exp.Subquery(this=build("SELECT SUM(item) FROM UNNEST(:l) AS items(item)", l=a[0])),
    "TRY_STRPTIME": times.tried_time,
    "EPOCH_US": times.epoch_in(1_000_000),
    "EPOCH_MS": times.epoch_in(1_000),
    "LIST_SLICE": lambda a: called("list_slice", *a),
    "ARRAY_EXTRACT": lambda a: exp.Bracket(this=exp.Paren(this=a[0]), expressions=[a[1]], offset=1),
    "JSON_MERGE_PATCH": lambda a: (
        function("JSONB_STRIP_NULLS", documents.document(a[1])) if a[0].name == "{}" else None
    ),
    "STRLEN": lambda a: function("OCTET_LENGTH", *a),
    "LIST_CONTAINS": lambda a: exp.Paren(this=exp.EQ(this=a[1], expression=exp.Any(this=a[0]))),
    "ARRAY_CONTAINS": lambda a: exp.Paren(this=exp.EQ(this=a[1], expression=exp.Any(this=a[0]))),
}


def _named_subquery(node: exp.Expr) -> exp.Expr:
    """Give a query after FROM or JOIN a name, if it has none."""
    if isinstance(node.parent, exp.From | exp.Join) and not node.args.get("alias"):
        node.set("alias", exp.TableAlias(this=exp.to_identifier(f"rows_{node.depth}", quoted=True)))
    return node


REWRITES: tuple[Rewrite, ...] = (
    Rewrite("queries without a name", "a name", (exp.Subquery,), _named_subquery),
    Rewrite("GROUP BY truncated times", "of a query that computes them", (exp.Select,), groups.by_truncated_time),
    Rewrite(
        "ARG_MAX, ARG_MIN",
        "the first of an ordered ARRAY_AGG",
        (exp.Filter, exp.ArgMax, exp.ArgMin),
        aggregates.extreme,
    ),
    Rewrite(
        "FIRST, ANY_VALUE",
        "the first of an ARRAY_AGG",
        (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.First, exp.AnyValue),
        aggregates.first_value,
    ),
    Rewrite(
        "ARG_MAX_NULL, ARG_MIN_NULL",
        "the first of an ordered ARRAY_AGG",
        (exp.Filter, exp.Anonymous),
        aggregates.extreme_or_null,
    ),
    Rewrite(
        "APPROX_COUNT_DISTINCT",
        "COUNT(DISTINCT ...), which is exact",
        (exp.ApproxDistinct,),
        aggregates.approximate_count,
    ),
    Rewrite("elements of lists", "the same, in brackets", (exp.Bracket,), documents.element),
    Rewrite("intervals of computed lengths", "products with an interval", (exp.Interval,), times.interval),
    Rewrite(
        "JSON_KEYS",
        "a function of the schema",
        (exp.JSONKeys,),
        lambda n: called("json_keys", documents.document(n.this)),
    ),
    Rewrite(
        "JSON_TYPE",
        "a function of the schema",
        (exp.JSONType,),
        lambda n: called("json_type", documents.document(n.this)),
    ),
    Rewrite(
        "REGEXP_EXTRACT_ALL",
        "a function of the schema",
        (exp.RegexpExtractAll,),
        lambda node: texts.extracted(node, "regexp_extract_all"),
    ),
    Rewrite("MAX, MIN of structs", "the first of an ordered ARRAY_AGG", (exp.StructExtract,), aggregates.largest_pair),
    Rewrite("AVG", "SUM by COUNT, as DOUBLE PRECISION", (exp.Filter, exp.Avg), aggregates.average),
    Rewrite(
        "MEDIAN, QUANTILE_CONT",
        "a function of the schema over the sorted values",
        (exp.Filter, exp.Median, exp.PercentileCont),
        aggregates.quantile,
    ),
    Rewrite("MODE", "MODE within a group", (exp.Mode,), aggregates.most_frequent),
    Rewrite("SHA1", "a function of the schema over the extension pgcrypto", (exp.SHA,), numbers.sha1),
    Rewrite("DATE_DIFF", "differences of truncated times", (exp.DateDiff, exp.TimestampDiff), times.date_difference),
    Rewrite(
        "DATE_TRUNC", "of a TIMESTAMP, whatever it is given", (exp.TimestampTrunc, exp.DateTrunc), times.truncated_time
    ),
    Rewrite("EXTRACT", "an integer", (exp.Extract,), times.extract_part),
    Rewrite("TRY_CAST", "functions of the schema", (exp.TryCast,), numbers.try_cast),
    Rewrite(
        "CAST of a text",
        "to an integer by way of NUMERIC, to a time by a function of the schema",
        (exp.Cast,),
        numbers.cast_of_text,
    ),
    Rewrite("JSON paths to texts", "JSONB_EXTRACT_PATH_TEXT", (exp.JSONExtractScalar,), documents.json_text),
    Rewrite("JSON paths", "JSONB_EXTRACT_PATH", (exp.JSONExtract,), documents.json_value),
    Rewrite(
        "JSON",
        "JSONB, whose values can be compared; spacing and order of keys are its own",
        (exp.DataType,),
        numbers.json_type,
    ),
    Rewrite("pairs in a query", "a query with two columns", (exp.In,), pairs_in_query),
    Rewrite("whole division", "DIV", (exp.IntDiv,), numbers.whole_division),
    Rewrite("division by zero", "an error, as it is on DuckDB", (exp.Div,), numbers.plain_division),
    Rewrite("REGEXP_FULL_MATCH", "a pattern from end to end", (exp.RegexpFullMatch,), texts.full_match),
    Rewrite("Unicode classes of patterns", "the characters that they hold", (exp.RegexpLike,), texts.match_pattern),
    Rewrite("SIMILAR TO", "a pattern from end to end", (exp.SimilarTo,), texts.full_match),
    Rewrite("REGEXP_REPLACE", "the same, with another mark for the whole match", (exp.RegexpReplace,), texts.replaced),
    Rewrite("SHA256", "SHA256 of the bytes, in hexadecimal digits", (exp.SHA2,), numbers.sha2),
    Rewrite("REGEXP_EXTRACT", "a function of the schema", (exp.RegexpExtract,), texts.extracted),
    Rewrite("ILIKE", "LIKE of both in small letters", (exp.ILike,), texts.any_case),
    Rewrite("LIKE", "the same, with no character to escape by", (exp.Like,), texts.like),
    Rewrite(
        "SUBSTRING from a place that is computed", "a function of the schema", (exp.Substring,), texts.part_of_text
    ),
    Rewrite("LOWER, UPPER", "by a collation of ICU", (exp.Lower, exp.Upper), texts.other_case),
    Rewrite(
        "ROUND", "a function of the schema, for floating point numbers and decimals", (exp.Round,), numbers.rounded
    ),
    Rewrite(
        "TRUNC", "a function of the schema, for floating point numbers and decimals", (exp.Trunc,), numbers.truncated
    ),
    Rewrite("joins on what may be NULL", "comparisons of lists of one", (exp.NullSafeEQ,), _joined_nulls),
    Rewrite("TYPEOF", "PG_TYPEOF, in the canonical spelling", (exp.Typeof,), numbers.typeof),
    Rewrite("tests of TYPEOF", "tests of PG_TYPEOF; of texts, a function of the schema", (exp.EQ,), numbers.type_test),
    Rewrite("LIST_TRANSFORM, LIST_FILTER", "queries over the items", (exp.Transform, exp.ArrayFilter), lists.listed),
    Rewrite("JSON_OBJECT", "JSONB_BUILD_OBJECT", (exp.JSONObject,), documents.json_object),
    Rewrite("JSON_ARRAY", "JSONB_BUILD_ARRAY", (exp.JSONArray,), documents.json_array),
    Rewrite(
        "MAP_FROM_ENTRIES",
        "a function of the schema",
        (exp.MapFromEntries,),
        lambda n: called("map_from_entries", n.this),
    ),
    Rewrite("MAP", "a function of the schema, which makes a JSON object", (exp.Map,), documents.map_of),
    Rewrite(
        "STRING_AGG", "of texts; of distinct values ARRAY_TO_STRING", (exp.Filter, exp.GroupConcat), aggregates.joined
    ),
    Rewrite("LENGTH of lists", "CARDINALITY", (exp.Length,), texts.length_of),
    Rewrite("REPEAT", "the same, of an INTEGER", (exp.Repeat,), texts.repeated),
    Rewrite("HEX", "ENCODE", (exp.Hex,), texts.hexadecimal),
    Rewrite(
        "FROM_BASE64", "DECODE", (exp.FromBase64,), lambda n: function("DECODE", n.this, exp.Literal.string("base64"))
    ),
    Rewrite(
        "DECODE", "CONVERT_FROM", (exp.Decode,), lambda n: function("CONVERT_FROM", n.this, exp.Literal.string("UTF8"))
    ),
    Rewrite("DATE_FROM_PARTS", "MAKE_DATE", (exp.DateFromParts,), times.date_of_parts),
    Rewrite("TIME_BUCKET", "DATE_BIN", (exp.DateBin,), times.sliced),
    Rewrite("TO_BASE64", "ENCODE", (exp.ToBase64,), texts.base64),
    Rewrite(
        "ENCODE", "CONVERT_TO", (exp.Encode,), lambda n: function("CONVERT_TO", n.this, exp.Literal.string("UTF8"))
    ),
    Rewrite("ISODOW", "EXTRACT(ISODOW ...)", (exp.DayOfWeekIso,), times.part_of_time("ISODOW")),
    Rewrite("QUARTER", "EXTRACT(QUARTER ...)", (exp.Quarter,), times.part_of_time("QUARTER")),
    Rewrite("HOUR", "EXTRACT(HOUR ...)", (exp.Hour,), times.part_of_time("HOUR")),
    Rewrite("MINUTE", "EXTRACT(MINUTE ...)", (exp.Minute,), times.part_of_time("MINUTE")),
    Rewrite("SECOND", "EXTRACT(SECOND ...), cut off", (exp.Second,), times.part_of_time("SECOND")),
    Rewrite("WEEK", "EXTRACT(WEEK ...)", (exp.Week, exp.WeekOfYear), times.part_of_time("WEEK")),
    Rewrite("DAYOFYEAR", "EXTRACT(DOY ...)", (exp.DayOfYear,), times.part_of_time("DOY")),
    Rewrite("DAYOFMONTH", "EXTRACT(DAY ...)", (exp.DayOfMonth,), times.part_of_time("DAY")),
    Rewrite(
        "ISINF",
        "a comparison",
        (exp.IsInf,),
        lambda n: exp.Paren(this=build("ABS(CAST(:x AS DOUBLE)) = CAST('Infinity' AS DOUBLE)", x=n.this)),
    ),
    Rewrite("CONCAT_WS of lists", "of what ARRAY_TO_STRING makes of them", (exp.ConcatWs,), texts.words_of_lists),
    Rewrite("structs", "JSON objects", (exp.Struct,), documents.struct),
    Rewrite("the empty list", "a literal", (exp.Array,), lists.empty_array),
    Rewrite("ARRAY_LENGTH", "CARDINALITY", (exp.ArraySize,), lambda node: function("CARDINALITY", node.this)),
    Rewrite("LIST_SORT", "a function of the schema", (exp.SortArray,), lambda node: called("list_sort", node.this)),
    Rewrite(
        "LIST_DISTINCT", "a function of the schema", (exp.ArrayDistinct,), lambda n: called("list_distinct", n.this)
    ),
    Rewrite("JSON(x)", "a cast", (exp.ParseJSON,), lambda node: cast_to(node.this, "JSONB")),
    Rewrite("LOG of a base", "LOG, or a quotient of LN", (exp.Log,), numbers.logarithm),
    Rewrite("STRFTIME", "TO_CHAR", (exp.TimeToStr,), times.time_text),
    Rewrite("STRPTIME", "a function of the schema", (exp.StrToTime,), times.time_of_text),
    Rewrite("MAKE_TIMESTAMP", "the beginning of 1970 and an interval", (exp.UnixToTime,), times.unix_time),
    Rewrite("EPOCH", "EXTRACT(EPOCH ...)", (exp.TimeToUnix,), times.epoch),
    Rewrite("TRY of a cast", "functions of the schema", (exp.Try,), numbers.attempt),
    Rewrite(
        "DAYOFWEEK",
        "EXTRACT(DOW ...)",
        (exp.DayOfWeek,),
        lambda n: cast_to(build("EXTRACT(DOW FROM :x)", x=n.this), "BIGINT"),
    ),
    Rewrite(
        "STR_SPLIT",
        "a function of the schema",
        (exp.Split,),
        lambda n: called("str_split", cast_to(n.this, "TEXT"), n.expression),
    ),
    Rewrite(
        "STR_SPLIT_REGEX",
        "REGEXP_SPLIT_TO_ARRAY",
        (exp.RegexpSplit,),
        lambda n: function("REGEXP_SPLIT_TO_ARRAY", n.this, texts.plain_pattern(n.expression)),
    ),
    Rewrite(
        "ISNAN",
        "a comparison",
        (exp.IsNan,),
        lambda n: exp.Paren(this=build("CAST(:x AS DOUBLE) = CAST('NaN' AS DOUBLE)", x=n.this)),
    ),
    Rewrite(
        "TO_DAYS",
        "an interval",
        (exp.ToDays,),
        lambda n: exp.Paren(this=build("(:x) * CAST('1 day' AS INTERVAL)", x=n.this)),
    ),
    Rewrite("SUM of sums that are kept", "an aggregate of the schema", (exp.Sum,), aggregates.sum_of_sums),
    Rewrite("FLATTEN of what ARRAY_AGG lists", "an aggregate of the schema", (exp.Flatten,), aggregates.united),
    Rewrite("CONTAINS", "STRPOS", (exp.Contains,), texts.contains),
    Rewrite("other functions", "by name", (exp.Anonymous,), _by_name),
)

_BY_TYPE = by_type(REWRITES)
