"""How many events of each day a practice's log holds: a look at what is unusual."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Q
from django.db.models.functions import TruncDate

from audit.models import AuditEvent

DAYS = 30

Action = AuditEvent.Action
READS = (Action.READ, Action.EXPORT)
CHANGES = (Action.CREATE, Action.UPDATE, Action.DELETE)
REFUSALS = (Action.DENIED, Action.FAILED, Action.LOGIN_FAILED, Action.TOKEN_REPLAYED)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the practice's calendar, from `begins` to before `ends`."""

    date: date
    begins: datetime
    ends: datetime
    reads: int = 0
    changes: int = 0
    refusals: int = 0


def per_day(last: date, zone: ZoneInfo, *, days: int = DAYS) -> list[Day]:
    """The last `days` days up to `last`, oldest first, those without events too. One statement."""
    dates = [last - timedelta(days=n) for n in reversed(range(days))]
    counted = (
        AuditEvent.objects.filter(at__gte=_midnight(dates[0], zone), at__lt=_midnight(last + timedelta(days=1), zone))
        .order_by()
        .values(day=TruncDate("at", tzinfo=zone))
        .annotate(
            reads=Count("pk", filter=Q(action__in=READS)),
            changes=Count("pk", filter=Q(action__in=CHANGES)),
            refusals=Count("pk", filter=Q(action__in=REFUSALS)),
        )
    )
    found = {row.pop("day"): row for row in counted}
    return [
        Day(day, _midnight(day, zone), _midnight(day + timedelta(days=1), zone), **found.get(day, {})) for day in dates
    ]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)
