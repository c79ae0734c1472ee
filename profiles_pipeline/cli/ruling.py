"""Does what ``profiles idstitch rules`` says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import typer

from profiles_pipeline import manual_rules
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.terminal import note, out, plural, print_document, print_table, say
from profiles_pipeline.errors import fail
from profiles_pipeline.manual_rules import Change, Rule, RulesTable
from profiles_pipeline.project import ProfilesProject


@dataclass(frozen=True, slots=True)
class Typed:
    """A rule as it is typed in options."""

    action: str | None = None
    id1: str | None = None
    id1_type: str | None = None
    id2: str | None = None
    id2_type: str | None = None
    entity: str | None = None
    reason: str | None = None

    @property
    def is_given(self) -> bool:
        """True when any option of a rule is there."""
        return any(getattr(self, field.name) is not None for field in fields(self))


@dataclass(frozen=True, slots=True)
class Given:
    """Where rules come from, and which table they go to."""

    file: Path | None
    interactive: bool
    typed: Typed
    table: str | None
    lock_timeout: float | None


def create(place: Place, name: str | None, lock_timeout: float | None, as_json: bool) -> None:
    """Make the table of rules and say where it is."""
    project, output = place.open()
    table = manual_rules.create(project, output, name, lock_timeout)
    if as_json:
        print_document(asdict(table))
        return
    state = "made, without rules" if table.made else f"was there already, with {plural(table.rules, 'rule')}"
    say(f"{table.relation}: {state}")
    _say_whether_used(project, table)
    say(f"next: profiles idstitch rules update{place.options} --help")


def update(place: Place, given: Given, as_json: bool) -> None:
    """Write rules and print what became of each."""
    ways = [given.file is not None, given.interactive, given.typed.is_given]
    if sum(ways) != 1:
        message = "say one rule with options, or name a file, or use --interactive"
        fail("bad-call", message, hint="profiles idstitch rules update --help")
    project, output = place.open()
    change = manual_rules.update(project, output, _rules(project, given), given.table, given.lock_timeout)
    if as_json:
        print_document(_document(change))
        return
    rows = [
        (rule.action, str(rule), f"instead of {before}" if before else "new", rule.reason)
        for rule, before in change.added
    ]
    rows += [(rule.action, str(rule), "held already", rule.reason) for rule in change.known]
    if rows:
        print_table(out(), ("action", "what", "", "reason"), rows)
    parts = [f"{plural(len(change.added), 'rule')} added", f"{len(change.known)} held already"]
    parts += [f"{change.removed} taken out"] if change.removed else []
    say(f"{', '.join(parts)}; {change.table.relation} has {plural(change.table.rules, 'rule')} now")
    _say_whether_used(project, change.table)
    if change.added or change.removed:
        say(f"next: profiles run{place.options}")


def _rules(project: ProfilesProject, given: Given) -> tuple[Rule, ...]:
    if given.file is not None:
        return manual_rules.read_csv(given.file)
    if given.interactive:
        return _asked(project)
    typed = given.typed
    if typed.action is None or typed.id1 is None or typed.id1_type is None:
        fail("bad-call", "a rule needs --action, --id1 and --id1-type", hint="profiles idstitch rules update --help")
    return (Rule(typed.id1, typed.id1_type, typed.action, typed.id2, typed.id2_type, typed.entity, typed.reason),)


def _asked(project: ProfilesProject) -> tuple[Rule, ...]:
    """Ask for rules until somebody says that there are no more; each answer is checked at once."""
    entities = project.project.entities
    first = next(iter(entities.values()))
    rules: list[Rule] = []
    while True:
        entity = first.name if len(entities) == 1 else typer.prompt("Entity", default=first.name, err=True)
        action = typer.prompt("INCLUDE, EXCLUDE or REMOVE", err=True)
        id1_type, id1 = typer.prompt("Type of the id", err=True), typer.prompt("Id", err=True)
        id2 = typer.prompt("Other end of the edge (empty: the rule is about one id)", default="", err=True)
        id2_type = typer.prompt("Its type", err=True) if id2 else None
        reason = typer.prompt("Reason", default="", err=True)
        rule = Rule(id1, id1_type, action, id2 or None, id2_type, entity, reason or None)
        rules += manual_rules.checked(project.project, [rule])
        if not typer.confirm("Another rule?", default=False, err=True):
            return tuple(rules)


def _say_whether_used(project: ProfilesProject, table: RulesTable) -> None:
    spec = project.project.spec.id_stitcher_rules
    if not spec.enabled:
        line = "id_stitcher_rules: {enabled: true}"
        note(f"the project does not obey rules yet: add '{line}' to its project file", style="yellow")
    elif table.name.lower() != str(spec.table_name).lower():
        note(f"the project obeys the rules in '{spec.table_name}', not those in '{table.name}'", style="yellow")


def _document(change: Change) -> dict[str, object]:
    return {
        "table": asdict(change.table),
        "added": [_rule(rule) | {"instead_of": before} for rule, before in change.added],
        "known": [_rule(rule) for rule in change.known],
        "removed": change.removed,
    }


def _rule(rule: Rule) -> dict[str, object]:
    names = ("entity", "id1", "id1_type", "id2", "id2_type", "action", "reason")
    made = {"created_at": rule.created_at.isoformat(sep=" ") if rule.created_at else None}
    return {name: getattr(rule, name) for name in names} | made
