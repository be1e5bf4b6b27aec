"""A practice that looks lived in: places, visit types, hours, patients, and visits around today."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from accounts.models import ProviderProfile
from appointments.models import AppointmentType, AvailabilityRule
from appointments.seeding.charts import seed_charts
from appointments.seeding.patients import patient_batches, save_patients
from appointments.seeding.people import Credentials, seed_users
from appointments.seeding.visits import seed_visits
from patients.models import Patient
from practices.models import Location, Practice, Resource
from practices.services import create_practice
from practices.tenancy import Actor, platform_scope, practice_scope

TYPES = (
    # name, minutes, buffer after, alignment, mode, colour
    ("New patient", 40, 5, 20, "in-person", "#2563eb"),
    ("Follow-up", 20, 0, 20, "in-person", "#059669"),
    ("Annual check-up", 40, 0, 20, "in-person", "#7c3aed"),
    ("Vaccination", 10, 0, 10, "in-person", "#d97706"),
    ("Video consultation", 20, 0, 20, "video", "#0891b2"),
)
HOURS = ((0, 8, 16), (1, 8, 16), (2, 8, 12), (3, 10, 18), (4, 8, 15), (5, 9, 12), (6, 10, 12))  # weekday, from, to


@dataclass(frozen=True, slots=True)
class PracticeSeed:
    slug: str
    name: str
    time_zone: str
    city: str


DEMO_PRACTICES = (
    PracticeSeed("northside", "Northside Family Practice", "America/New_York", "New York"),
    PracticeSeed("lakeside", "Lakeside Medical Group", "America/Chicago", "Chicago"),
)


def seed_practice(
    seed: PracticeSeed,
    credentials: Credentials,
    *,
    patients: int,
    visits: int,
    now: datetime,
    by: Actor,
    progress: Callable[[int], None],
) -> Practice:
    """Brings the practice to at least that many patients, and visits to the days around today that have none."""
    practice = _practice(seed, by)
    with practice_scope(practice, actor=by):
        places = _places(seed)
        calendars = seed_users(practice, credentials)
        _types()
        for index, calendar in enumerate(calendars):
            _hours(calendar, places[index % len(places)], now.date())
        present = Patient.objects.count()
    if patients > present:
        _add_patients(practice, present, patients, now.date(), by, progress)
    with practice_scope(practice, actor=by):
        seed_charts(_author(calendars[0]), seed.city, now.date())
    seed_visits(practice, visits, now=now, by=by, progress=progress)
    return practice


def _author(calendar: Resource) -> UUID:
    provider: ProviderProfile = ProviderProfile.objects.select_related("membership").get(resources=calendar)
    author: UUID = provider.membership.user_id
    return author


def _add_patients(
    practice: Practice, present: int, wanted: int, today: date, by: Actor, progress: Callable[[int], None]
) -> None:
    """A commit a batch: memory stays flat, and an interrupted run goes on where it stopped."""
    for batch in patient_batches(practice.slug, present, wanted, today):
        with practice_scope(practice, actor=by):
            progress(save_patients(batch))


def _practice(seed: PracticeSeed, by: Actor) -> Practice:
    with platform_scope(actor=by):
        practice = Practice.objects.filter(slug=seed.slug).first()
    return practice or create_practice(
        by=by, slug=seed.slug, name=seed.name, legal_name=f"{seed.name} LLC", time_zone=seed.time_zone
    )


def _places(seed: PracticeSeed) -> list[Location]:
    places = []
    for name, street in (("Main Street", "12 Main Street"), ("Station Square", "3 Station Square")):
        place = Location.objects.filter(name=name).first() or Location.objects.create(
            name=name, address_line1=street, city=seed.city, country="US"
        )
        places.append(place)
        for room in ("Room 1", "Room 2"):
            label = f"{name}, {room}"
            if not Resource.objects.filter(name=label).exists():
                Resource.objects.create(kind=Resource.Kind.ROOM, name=label, location=place)
    return places


def _types() -> None:
    present = set(AppointmentType.objects.values_list("name", flat=True))
    AppointmentType.objects.bulk_create(
        AppointmentType(name=name, duration=minutes, buffer_after=after, alignment=alignment, mode=mode, colour=colour)
        for name, minutes, after, alignment, mode, colour in TYPES
        if name not in present
    )


def _hours(calendar: Resource, place: Location, today: date) -> None:
    if AvailabilityRule.objects.filter(resource=calendar).exists():
        return
    AvailabilityRule.objects.bulk_create(
        AvailabilityRule(
            resource=calendar,
            location=place,
            weekday=weekday,
            start_time=time(opens),
            end_time=time(closes),
            valid_from=today.replace(month=1, day=1) - timedelta(days=365 * 2),
        )
        for weekday, opens, closes in HOURS
    )
