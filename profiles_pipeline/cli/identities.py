"""Does what ``profiles audit id_stitcher``, ``show idstitcher-report`` and ``show entity-lookup`` say."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from profiles_pipeline.cli import values
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.looking import plain_value, text_of
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.planning import tell_waiting
from profiles_pipeline.cli.stitching_page import page
from profiles_pipeline.cli.terminal import note, out, plural, print_document, print_table, say
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import fail
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries import identity
from profiles_pipeline.queries.lookup import Evidence, Explanation, Hop, Person
from profiles_pipeline.queries.stitching import Hub, LargeCluster, StitchingReport, size_bins
from profiles_pipeline.resolve.model import RULES

_IDS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """Which graphs to look at, and how much of them to show."""

    model: str | None
    largest: int
    seq_no: str | None
    lock_timeout: float | None
    seeds: Path | None = None


@dataclass(frozen=True, slots=True)
class Sought:
    """Who is looked for, or which two ids are to be explained."""

    value: str | None
    explain: tuple[str, str] | None
    entity: str | None
    seq_no: str | None
    lock_timeout: float | None
    as_of: str | None = None


# --- audit --------------------------------------------------------------------------------------------------------


def audit(place: Place, asked: Asked, as_json: bool) -> None:
    """Print what became of the ids of every graph asked for."""
    reports = _reports(*place.open(), asked)
    if as_json:
        print_document([_report_document(report) for report in reports])
        return
    for number, report in enumerate(reports):
        say("" if number == 0 else "\n", style="")
        _print_report(report)


def report(place: Place, asked: Asked, file: Path | None, as_json: bool) -> None:
    """Write a page about each graph asked for, and say where."""
    project, output = place.open()
    reports = _reports(project, output, asked)
    if file is not None and len(reports) > 1:
        names = ", ".join(f"models/{r.name}" for r in reports)
        fail("bad-call", "one file cannot hold several graphs", hint=f"choose one with -m: {names}")
    written = [(found, _written(found, project, output, file)) for found in reports]
    if as_json:
        print_document([_report_document(found) | {"file": str(path)} for found, path in written])
        return
    for found, path in written:
        ids, edges = plural(found.ids.after, "id"), plural(found.edges.after, "edge")
        say(f"{found.path}: {ids} and {edges} make {plural(found.clusters, found.entity)}")
        say(f"wrote {from_here(path)}")


def _written(found: StitchingReport, project: ProfilesProject, output: Output, file: Path | None) -> Path:
    folder = project.folder / "output" / output.target / "seq_no" / str(found.seq_no)
    path = file.expanduser() if file else folder / f"{found.name}_report.html"
    try:
        if file is None:
            folder.mkdir(parents=True, exist_ok=True)
        path.write_text(page(found), encoding="utf-8")
    except OSError as error:
        fail("cannot-write", f"cannot write {path}: {error.strerror}", hint="choose another file with -o")
    return path


def _reports(project: ProfilesProject, output: Output, asked: Asked) -> tuple[StitchingReport, ...]:
    view = _view(asked.seq_no, asked.lock_timeout)
    seeds = _seeds(asked.seeds) if asked.seeds is not None else ()
    return identity.stitching_reports(project, output, asked.model, asked.largest, view, seeds)


def _seeds(file: Path) -> tuple[tuple[str, str], ...]:
    """Return the ids of a CSV file, and their types."""
    try:
        with file.expanduser().open(newline="", encoding="utf-8-sig") as lines:
            rows = [{(k or "").strip().lower(): v for k, v in row.items()} for row in csv.DictReader(lines)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        fail("cannot-read", f"cannot read {file}: {error}", hint="it is a CSV file with the columns id and id_type")
    found = [(row.get("id"), row.get("id_type")) for row in rows]
    seeds = tuple((value.strip(), id_type.strip()) for value, id_type in found if value and id_type)
    if not seeds:
        fail("bad-seeds", f"{file} names no ids", hint="it is a CSV file with the columns id and id_type")
    return seeds


def _view(seq_no: str | None, lock_timeout: float | None, as_of: str | None = None) -> identity.View:
    number = values.seq_no(seq_no)
    if as_of is not None:
        if number is not None:
            fail("bad-call", "--seq-no and --as-of both say where to look", hint="leave out one of them")
        return identity.View(values.moment(as_of, "--as-of"), tell_waiting, lock_timeout)
    if number == "new":
        fail("bad-seq-no", "--seq-no: this looks at what was built", hint="write a number or latest")
    return identity.View(number, tell_waiting, lock_timeout)


def _print_report(found: StitchingReport) -> None:
    say(f"{found.path}  seq_no {found.seq_no}, as of {found.end:%Y-%m-%dT%H:%M:%SZ}", style="bold")
    before = [("ids", found.ids), ("edges", found.edges)]
    rows = [(name, f"{count.before:,}", f"{count.after:,}") for name, count in before]
    rows.append((found.entity, "", f"{found.clusters:,}"))
    print_table(out(), ("", "before caps and rules", "after"), rows, right=("before caps and rules", "after"))
    if found.removed_by_caps:
        say(f"{plural(found.removed_by_caps, 'edge')} taken away by caps")
    _section("size of clusters")
    sizes = [(name, f"{clusters:,}", f"{ids:,}") for name, clusters, ids in size_bins(found.sizes)]
    print_table(out(), ("ids", "clusters", "ids in all"), sizes, right=("ids", "clusters", "ids in all"))
    _section("ids per type")
    types = [
        (use.id_type, f"{use.ids:,}", f"{use.clusters:,}", f"{use.mean:.2f}", f"{use.most:,}") for use in found.types
    ]
    head = ("type", "ids", f"{found.entity} with one", "per " + found.entity, "most")
    print_table(out(), head, types, right=head[1:])
    _section("what each source says")
    print_table(
        out(),
        ("source", "edge", "edges", "rows", "first seen", "last seen"),
        [
            (s.source, f"{s.type1} alone" if s.lone else f"{s.type1} - {s.type2}", f"{s.edges:,}", f"{s.rows:,}",
             _moment(s.first_seen_at), _moment(s.last_seen_at))
            for s in found.sources
        ],
        right=("edges", "rows"),
    )  # fmt: skip
    _print_largest(found)
    _section("what deserves a look")
    for finding in found.findings or ("nothing",):
        say(f"- {finding}")


def _print_largest(found: StitchingReport) -> None:
    if found.largest:
        _section("largest clusters")
        rows = [(c.cluster.main_id, f"{len(c.cluster.ids):,}", _by_type(c.by_type), _some(c)) for c in found.largest]
        print_table(out(), ("main id", "ids", "by type", "among them"), rows, right=("ids",))
    if found.hubs:
        _section("ids that hold a cluster together")
        print_table(
            out(),
            ("type", "id", "shares rows with", "without it", "groups"),
            [(h.id_type, h.id, _by_type(h.degree), _parts(h), f"{h.groups}") for h in found.hubs],
            right=("groups",),
        )
    if any(c.hubs is None for c in found.largest):
        note("some clusters were too large to be searched for ids that hold them together", style="yellow")


def _section(title: str) -> None:
    say(f"\n{title}", style="bold")


def _moment(value: datetime | None) -> str | None:
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else None


def _by_type(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))


def _some(found: LargeCluster) -> str:
    """Return the ids that hold a cluster together, then others, as far as they fit."""
    hubs = [f"{h.id_type}:{h.id}" for h in found.hubs or ()]
    names = list(dict.fromkeys([*hubs, *(f"{kind}:{value}" for kind, value in found.cluster.ids)]))
    more = len(names) - _IDS_SHOWN
    return ", ".join(names[:_IDS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _parts(hub: Hub) -> str:
    shown = " + ".join(f"{size:,}" for size in hub.parts[:4])
    more = len(hub.parts) - 4
    return shown + (f" + {more:,} more" if more > 0 else "")


def _report_document(found: StitchingReport) -> dict[str, object]:
    return {
        "model": found.path,
        "entity": found.entity,
        "material": found.material,
        "seq_no": found.seq_no,
        "end_time": found.end.isoformat(),
        "ids": {"before": found.ids.before, "after": found.ids.after},
        "edges": {"before": found.edges.before, "after": found.edges.after},
        "edges_removed_by_caps": found.removed_by_caps,
        "clusters": found.clusters,
        "cluster_sizes": {str(size): count for size, count in found.sizes.items()},
        "id_types": [
            {"type": u.id_type, "ids": u.ids, "clusters": u.clusters, "most": u.most,
             "per_cluster": {str(n): c for n, c in u.per_cluster.items()}}
            for u in found.types
        ],
        "sources": [
            {"source": s.source, "id1_type": s.type1, "id2_type": s.type2, "lone": s.lone, "edges": s.edges,
             "rows": s.rows, "first_seen_at": _iso(s.first_seen_at), "last_seen_at": _iso(s.last_seen_at)}
            for s in found.sources
        ],
        "largest_clusters": [
            {"main_id": c.cluster.main_id, "size": len(c.cluster.ids), "by_type": dict(c.by_type),
             "ids": [{"type": kind, "id": value} for kind, value in c.cluster.ids]}
            for c in found.largest
        ],
        "hubs": [
            {"main_id": h.main_id, "type": h.id_type, "id": h.id, "neighbours": dict(h.degree),
             "parts_without_it": list(h.parts), "groups": h.groups, "separated_ids": h.separated}
            for h in found.hubs
        ],
        "findings": list(found.findings),
    }  # fmt: skip


def _iso(value: datetime | None) -> str | None:
    return value.isoformat(sep=" ") if value else None


# --- lookup -------------------------------------------------------------------------------------------------------


def lookup(place: Place, sought: Sought, as_json: bool) -> None:
    """Print what is known of somebody, or the chain of evidence between two ids."""
    if (sought.value is None) == (sought.explain is None):
        hint = "profiles show entity-lookup -v ann@example.com"
        fail("bad-call", "say either whom to look for (-v) or which two ids to explain (--explain)", hint=hint)
    view = _view(sought.seq_no, sought.lock_timeout, sought.as_of)
    project, output = place.open()
    if sought.explain is not None:
        explanation = identity.explain(project, output, sought.explain, sought.entity, view)
        if as_json:
            print_document(_explanation_document(explanation))
        else:
            _print_explanation(explanation)
        return
    people = identity.look_up(project, output, sought.value or "", sought.entity, view)
    if as_json:
        print_document([_person_document(person) for person in people])
        return
    for number, person in enumerate(people):
        if number:
            say("")
        _print_person(person)
    if len(people) > 1:
        note(f"'{sought.value}' is an id of {len(people)}; write type:id for one", style="yellow")


def _print_person(person: Person) -> None:
    say(person.main_id, style="bold")
    head = ("type", "id", "first seen", "last seen", "shares rows with")
    rows = [
        (i.id_type, i.id, _moment(i.first_seen_at), _moment(i.last_seen_at), plural(i.neighbours, "id"))
        for i in person.ids
    ]
    print_table(out(), head, rows)
    if person.features is None:
        note("the feature view has not been built", style="yellow")
    elif person.features:
        say("")
        cells = [(name, None if value is None else text_of(value)) for name, value in person.features]
        print_table(out(), ("feature", "value"), cells)


def _person_document(person: Person) -> dict[str, object]:
    return {
        "main_id": person.main_id,
        "ids": [
            {"type": i.id_type, "id": i.id, "first_seen_at": _iso(i.first_seen_at),
             "last_seen_at": _iso(i.last_seen_at), "neighbours": i.neighbours}
            for i in person.ids
        ],
        "features": None if person.features is None else {n: plain_value(v) for n, v in person.features},
    }  # fmt: skip


def _print_explanation(found: Explanation) -> None:
    one, two = _named(found.one), _named(found.two)
    if found.one == found.two:
        say(f"{one} is one id, of {found.main_ids[0]}")
    elif found.connected:
        say(f"{one} and {two} are one: {found.main_ids[0]}", style="bold")
    else:
        say(f"{one} and {two} are not one: {found.main_ids[0]} and {found.main_ids[1]}", style="bold")
        cut = "no rows join them, directly or over other ids of theirs"
        say("caps or manual rules cut the chain between them:" if found.hops else cut)
    if found.hops:
        head = ("", "and", "because of", "rows", "first seen", "last seen")
        print_table(out(), head, list(_hop_rows(found.hops)), right=("rows",))


def _hop_rows(hops: Iterable[Hop]) -> Iterable[Sequence[str | None]]:
    for hop in hops:
        for number, seen in enumerate(hop.evidence):
            ends = (_named(hop.one), _named(hop.two)) if number == 0 else ("", "")
            because = _because(seen) + ("  (taken away)" if hop.removed else "")
            yield (*ends, because, f"{seen.rows:,}", _moment(seen.first_seen_at), _moment(seen.last_seen_at))


def _because(seen: Evidence) -> str:
    return "a manual rule" if seen.source == RULES else seen.source


def _named(node: tuple[str, str]) -> str:
    return f"{node[0]}:{node[1]}"


def _explanation_document(found: Explanation) -> dict[str, object]:
    return {
        "ids": [{"type": kind, "id": value} for kind, value in (found.one, found.two)],
        "main_ids": list(found.main_ids),
        "connected": found.connected,
        "chain": [
            {"one": {"type": h.one[0], "id": h.one[1]}, "two": {"type": h.two[0], "id": h.two[1]},
             "removed": h.removed,
             "evidence": [
                 {"source": e.source, "rows": e.rows, "first_seen_at": _iso(e.first_seen_at),
                  "last_seen_at": _iso(e.last_seen_at)}
                 for e in h.evidence
             ]}
            for h in found.hops
        ],
    }  # fmt: skip
