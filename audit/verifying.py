"""Whether a practice's log is what was written: content, order, signatures, anchors, and the rows it is about.

A log is verified in parts, each by a call of its own, so that several processes can share them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from operator import call
from typing import Any
from uuid import UUID

from django.db import connections

from audit import archive
from audit.checking import Report, bad_changes, bad_events, bad_rows, bad_sealed, broken_links, missing_ends, unsigned
from audit.models import PlatformSeal, Seal
from audit.sums import END, PLATFORM_EVENTS, odd_ones, streamed
from practices.tenancy import Actor, platform_scope, practice_scope

ACTOR = Actor.system("verify_audit")
COLUMNS = (
    *("practice_id", "seq", "since", "until", "count", "digest", "marks", "changes_digest", "changes_marks"),
    *("previous", "signature", "at"),
)
_CUT = """
SELECT min(seq) FROM (
    SELECT seq, sum(count + %s) OVER (ORDER BY seq) / %s AS part FROM audit_seal WHERE practice_id = %s
) AS seals GROUP BY part ORDER BY 1
"""
PART = 50_000
"""Events that are verified together, more only where one seal has more."""
SIGNATURE = 30
"""Events that take as long as the signature of a seal."""
WORTH_IT = 8
"""Fewer parts are done before a second process would help."""
Part = Callable[[], Report]


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Whose, and what of it is to be read."""

    practice_id: UUID
    left: int
    """The number of the last seal whose events have left for the archive."""
    since: datetime | None
    anchored: Any
    using: str


def verify(practice_id: UUID, **asked: Any) -> Report:
    """What `parts` takes. Reads all of the practice's events once, in this process."""
    return merged(part() for part in parts(practice_id, **asked))


def merged(reports: Iterable[Report]) -> Report:
    whole = Report()
    for each in reports:
        whole.add(each)
    return whole


def parts(
    practice_id: UUID,
    *,
    anchors: Mapping[str, Any],
    since: datetime | None = None,
    rows: bool = True,
    archived: bool = False,
    using: str = "default",
) -> list[Part]:
    """To be called in any process and merged in this order; with `archived` those events that have left, too; with
    `since` those sealed from then on. The same parts however many processes there are, so the same answer.
    """
    left, _ = archive.left(practice_id)
    of = Chain(practice_id=practice_id, left=left, since=since, anchored=anchors.get(str(practice_id)), using=using)
    found: list[Part] = [partial(_verify_rows, of)] if rows else []  # takes longest
    found += [partial(_verify_archive, of)] if archived else []
    return found + [partial(_verify_seals, of, *between) for between in _cut(of)]


def _cut(of: Chain) -> list[tuple[int, int | None]]:
    """First and last number of each part; the last one has no end."""
    with practice_scope(of.practice_id, actor=ACTOR, using=of.using), connections[of.using].cursor() as cursor:
        cursor.execute(_CUT, [SIGNATURE, PART, of.practice_id])
        firsts = [first for (first,) in cursor.fetchall()] or [1]
    return [(first, after - 1) for first, after in pairwise(firsts)] + [(firsts[-1], None)]


def _verify_seals(of: Chain, first: int, last: int | None) -> Report:
    report = Report()
    with practice_scope(of.practice_id, actor=ACTOR, using=of.using):
        seals_there = Seal.objects.using(of.using).order_by("seq").values_list(*COLUMNS, named=True)
        before = seals_there.filter(seq__lt=first).last()
        chain = list(seals_there.filter(seq__gte=first, **({} if last is None else {"seq__lte": last})))
        wanted = [each for each in chain if of.since is None or each.at >= of.since]
        there = [each for each in wanted if each.seq > of.left]
        report.seals = len(wanted)
        report.event = next(
            bad_events(report, of.practice_id, chain, there, open_end=last is None, using=of.using), None
        )
        report.link = next(broken_links(chain, unsigned(chain), before), None)
        report.end = next(missing_ends(chain, of.anchored, open_end=last is None), None)
        report.change = next(bad_changes(wanted, seals_there, of.using), None)
    return report


def _verify_archive(of: Chain) -> Report:
    report = Report()
    with practice_scope(of.practice_id, actor=ACTOR, using=of.using):
        gone = Seal.objects.using(of.using).filter(seq__lte=of.left).order_by("seq").values_list(*COLUMNS, named=True)
        report.event = next(bad_sealed(report, gone.iterator(), archive.events(of.practice_id)), None)
    return report


def _verify_rows(of: Chain) -> Report:
    with practice_scope(of.practice_id, actor=ACTOR, using=of.using):
        sealed = Seal.objects.using(of.using).order_by("seq").values_list("until", flat=True).last()
        return Report(rows=list(bad_rows(sealed or 0, of.using)))


def verify_platform(*, anchors: Mapping[str, Any], using: str = "default") -> Report:
    """The same of the platform's own log, and of what was changed outside any practice."""
    report = Report()
    with platform_scope(actor=ACTOR, using=using):
        seals_there = PlatformSeal.objects.using(using).order_by("seq")
        chain = list(seals_there)
        rows = list(streamed(PLATFORM_EVENTS.format(since=0, until=END), using=using))
        sealed = chain[-1].until if chain else 0
        report.events, report.seals = len(rows), len(chain)
        report.unsealed = sum(xid >= sealed for xid, _, _ in rows)
        wanted = [(each.seq, each.until, bytes(each.digest), bytes(each.marks)) for each in chain]
        report.event = next(odd_ones(wanted, iter(rows), "event"), None)
        report.link = next(broken_links(chain, unsigned(chain)), None)
        report.end = next(missing_ends(chain, anchors.get(PlatformSeal.practice_id)), None)
        report.change = next(bad_changes(chain, seals_there, using), None)
    return report


def run(asked: Sequence[Part], processes: int) -> Iterator[Report]:
    """Their reports in order, from so many processes if that is worth it."""
    if processes < 2 or len(asked) < WORTH_IT:
        yield from map(call, asked)
        return
    connections.close_all()  # each process opens its own
    with ProcessPoolExecutor(processes, get_context("fork")) as pool:  # no other thread runs here
        yield from pool.map(call, asked)
