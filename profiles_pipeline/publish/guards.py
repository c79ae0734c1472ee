"""Guards: what looks wrong about a publication, before anything of it is written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from profiles_pipeline.errors import Check
from profiles_pipeline.publish.ledger import Counts
from profiles_pipeline.resolve.publishing import Publisher


@dataclass(frozen=True, slots=True)
class Guard:
    """A rule, and what breaks it.

    Attributes:
        name: stable name of the check.
        description: the rule, as a sentence.
        told: what breaks it, for people; None when nothing does.
        broken: how many rows, or things, break it.
    """

    name: str
    description: str
    told: str | None = None
    broken: int = 0

    @property
    def check(self) -> Check:
        """The rule as a check."""
        return Check(self.name, self.description, self.broken if self.told else 0)

    @property
    def approved(self) -> Check:
        """The rule as a check of what was published although it is broken: that was right."""
        return Check(self.name, f"{self.description} Approved: {self.told}." if self.told else self.description, 0)


@dataclass(frozen=True, slots=True)
class Found:
    """What guards look at.

    Attributes:
        counts: what would be written.
        before: rows of the table.
        after: rows that are to be there.
        is_first: nothing has been published yet.
        this_month: rows written since the month began.
        by_hand: what somebody else has done to the table, a sentence each.
        tracking: what is wrong with the warehouse's own record of its changes, a sentence each.
    """

    counts: Counts
    before: int
    after: int
    is_first: bool
    this_month: int
    by_hand: Sequence[str] = ()
    tracking: Sequence[str] = ()


def guards_of(publisher: Publisher) -> tuple[Guard, ...]:
    """Return the rules that hold for a publisher, as if nothing broke them."""
    return guards(publisher, Found(Counts(), 0, 0, False, 0))


def guards(publisher: Publisher, found: Found) -> tuple[Guard, ...]:
    """Return the rules that hold for a publisher, and what breaks them."""
    return tuple(_guards(publisher, found))


def _guards(publisher: Publisher, found: Found) -> Iterable[Guard]:
    limits, counts = publisher.guards, found.counts
    yield _told("untouched", "Nobody else has changed the published table.", found.by_hand)
    if publisher.destination.contract.tracked:
        yield _told("connection_valid", "The warehouse keeps the changes of the table.", found.tracking)
    if limits.first_run == "ask":
        told = f"the first publication would write {counts.inserted:,} rows" if found.is_first else None
        yield Guard("first_run", "The first publication is approved.", told, counts.inserted)
    if limits.max_deleted is not None and publisher.deletes != "keep":
        rule = f"No more than {_percent(limits.max_deleted)} of the published rows are deleted at once."
        yield _share("deleted_share", rule, ("delete", counts.deleted), found.before, limits.max_deleted)
    if limits.max_changed is not None:
        rule = f"No more than {_percent(limits.max_changed)} of the published rows are updated at once."
        yield _share("changed_share", rule, ("update", counts.updated), found.before, limits.max_changed)
    if limits.max_row_drop is not None:
        rule = f"There are at most {_percent(limits.max_row_drop)} fewer rows than before."
        yield _share("row_drop", rule, ("lose", max(found.before - found.after, 0)), found.before, limits.max_row_drop)
    if limits.max_rejected is not None:
        rule = f"The destination takes all but {_percent(limits.max_rejected)} of the rows."
        yield _share(
            "rejected_share", rule, ("leave out", counts.rejected), found.after + counts.rejected, limits.max_rejected
        )
    budget = limits.monthly_operations
    budget = publisher.destination.contract.operations_a_month if budget is None else budget
    if budget is not None:
        sum_ = found.this_month + counts.operations
        told = f"{sum_:,} rows would have been written this month, more than {budget:,}" if sum_ > budget else None
        yield Guard("monthly_operations", f"No more than {budget:,} rows are written in a month.", told, sum_ - budget)


def _told(name: str, rule: str, sentences: Sequence[str]) -> Guard:
    return Guard(name, rule, "; ".join(sentences) or None, len(sentences))


def _share(name: str, rule: str, what: tuple[str, int], whole: int, limit: float) -> Guard:
    verb, part = what
    if not whole or part <= limit * whole:
        return Guard(name, rule)
    told = f"it would {verb} {part:,} of {whole:,} rows, {_percent(part / whole)}, and {_percent(limit)} are allowed"
    return Guard(name, rule, told, part)


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
