"""Days full of visits, around today: what is past has mostly been fulfilled, what is to come is booked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from appointments.models import Appointment, AppointmentType, AvailabilityRule, ResourceAllocation, StatusEvent
from appointments.services.allocation import occupied_period
from appointments.transitions import BLOCKING, Status
from patients.models import Patient
from practices.models import CancellationReason, Practice, Resource
from practices.tenancy import Actor, practice_scope

VISITS_A_DAY = 10  # about what the hours hold, used to guess how many days a number of visits takes
PAST_SHARE = 0.7
BATCH = 2000
REASONS = ("Cough for a week", "Blood pressure check", "Back pain", "Medication review", "Rash", "Knee pain", "")


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all days of a practice share."""

    zone: ZoneInfo
    now: datetime
    types: Sequence[AppointmentType]
    patients: Sequence[UUID]
    reason: CancellationReason | None


@dataclass(frozen=True, slots=True)
class _Day:
    calendar: Resource
    rule: AvailabilityRule
    date: date


def seed_visits(practice: Practice, wanted: int, *, now: datetime, by: Actor, progress: Callable[[int], None]) -> None:
    """Fills the providers' days around today that have no visit yet; about `wanted` visits when all were empty."""
    with practice_scope(practice, actor=by):
        setting = _setting(practice, now)
        days = iter(list(_empty_days(setting, wanted)))
    if not setting.patients:
        return
    while True:
        with practice_scope(practice, actor=by):
            size = _save_some(setting, days)
        if not size:
            return
        progress(size)


def _setting(practice: Practice, now: datetime) -> _Setting:
    return _Setting(
        zone=ZoneInfo(practice.time_zone),
        now=now,
        types=list(AppointmentType.objects.filter(active=True).order_by("name")),
        patients=list(Patient.objects.order_by("mrn").values_list("id", flat=True)),
        reason=CancellationReason.objects.filter(code="patient-request").first(),
    )


def _empty_days(setting: _Setting, wanted: int) -> Iterator[_Day]:
    rules = list(
        AvailabilityRule.objects.select_related("resource__provider", "location").order_by("resource__name", "weekday")
    )
    working_days = wanted / VISITS_A_DAY / max(1, len({rule.resource_id for rule in rules}))
    span = round(working_days)
    today = setting.now.astimezone(setting.zone).date()
    first = today - timedelta(days=round(span * PAST_SHARE))
    taken = {
        (provider, start.astimezone(setting.zone).date())
        for provider, start in Appointment.objects.filter(start__isnull=False).values_list("provider_id", "start")
    }
    for offset in range(span):
        day = first + timedelta(days=offset)
        for rule in rules:
            if rule.weekday == day.weekday() and (rule.resource.provider_id, day) not in taken:
                yield _Day(rule.resource, rule, day)


def _save_some(setting: _Setting, days: Iterator[_Day]) -> int:
    """The next days' visits, about a batch of them. Returns how many."""
    visits: list[Appointment] = []
    calendars: list[Resource] = []
    for day in days:
        fresh = list(_visits_of(setting, day))
        visits += fresh
        calendars += [day.calendar] * len(fresh)
        if len(visits) >= BATCH:
            break
    Appointment.objects.bulk_create(visits, batch_size=BATCH)
    ResourceAllocation.objects.bulk_create(
        [_allocation(visit, calendar) for visit, calendar in zip(visits, calendars, strict=True)], batch_size=BATCH
    )
    StatusEvent.objects.bulk_create([event for visit in visits for event in _history(visit)], batch_size=BATCH)
    return len(visits)


def _visits_of(setting: _Setting, day: _Day) -> Iterator[Appointment]:
    """One after the other from opening to closing, with gaps."""
    random = Random(f"{day.calendar.name} {day.date}")  # noqa: S311  # no secrets
    start = datetime.combine(day.date, day.rule.start_time, setting.zone)
    closes = datetime.combine(day.date, day.rule.end_time, setting.zone)
    while True:
        kind = random.choice(setting.types)
        end = start + timedelta(minutes=kind.duration)
        if end > closes:
            return
        if random.random() < 0.85:
            yield _visit(setting, day, kind, start, end, random)
        start = end + timedelta(minutes=kind.buffer_after + random.choice((0, 0, 0, 10, 20)))


def _visit(
    setting: _Setting, day: _Day, kind: AppointmentType, start: datetime, end: datetime, random: Random
) -> Appointment:
    status = _status(start, end, setting.now, random)
    came = status in (Status.ARRIVED, Status.CHECKED_IN, Status.FULFILLED)
    return Appointment(
        patient_id=random.choice(setting.patients),
        appointment_type=kind,
        provider=day.calendar.provider,
        location=day.rule.location,
        start=start,
        end=end,
        time_zone=setting.zone.key,
        status=status,
        cancellation_reason=setting.reason if status == Status.CANCELLED else None,
        confirmed_at=start - timedelta(days=1) if random.random() < 0.6 else None,
        arrived_at=start - timedelta(minutes=random.randint(1, 12)) if came else None,
        checked_in_at=start if status in (Status.CHECKED_IN, Status.FULFILLED) else None,
        fulfilled_at=end if status == Status.FULFILLED else None,
        notes=random.choice(REASONS),
    )


def _status(start: datetime, end: datetime, now: datetime, random: Random) -> Status:
    chance = random.random()
    if chance < 0.08:
        return Status.CANCELLED
    if end <= now:
        return Status.NO_SHOW if chance < 0.13 else Status.FULFILLED
    if start <= now:
        return Status.CHECKED_IN
    return Status.ARRIVED if start - now < timedelta(minutes=10) else Status.BOOKED


def _allocation(visit: Appointment, calendar: Resource) -> ResourceAllocation:
    start, end = occupied_period(visit.appointment_type, visit.start, visit.end)  # type: ignore[arg-type]  # all have a time
    return ResourceAllocation(
        appointment=visit,
        resource=calendar,
        start=start,
        end=end,
        blocking=visit.status in BLOCKING,
    )


def _history(visit: Appointment) -> Iterator[StatusEvent]:
    yield StatusEvent(appointment=visit, action="book", to_status=Status.BOOKED, to_start=visit.start)
    if visit.status != Status.BOOKED:
        yield StatusEvent(
            appointment=visit, action="seed", from_status=Status.BOOKED, to_status=visit.status, to_start=visit.start
        )
