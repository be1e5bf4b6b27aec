"""One big practice for the free-times benchmark: 40 providers in two houses, and as many visits as wanted.

Every provider has 40 visits in any two weeks to come, and a busier past that makes up the number.
"""

import json
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.benchmarks.dataset import COPIED, Visits, copy
from tests.benchmarks.place import Place, open_folder, say
from tests.benchmarks.traffic import LOGIN

SLUG, ZONE = "clinic", "America/New_York"
PROVIDERS, HOUSES = 40, 2
OPENS, CLOSES = time(8), time(16)
MINUTES, STEP = 30, 15
FUTURE_DAYS = 77
A_WEEK = (3, 3, 3, 3, 3, 3, 2)
"""Visits to come by weekday: 40 in two weeks."""
PAST_DAY = 14
"""Visits on a past day."""


def open_clinic(visits: int) -> Place:
    return open_folder(f"clinic-{visits}")


def ensure(place: Place, visits: int) -> None:
    """Seeds unless it is there already. `enter_django` comes first."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    marker = place.folder / "seeded.json"
    if marker.exists():
        _require_future(json.loads(marker.read_text()), place)
        return
    say(f"Seeding a practice with {visits:,} visits; the next run uses it again ...")
    rules = _open_practice()
    with place.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        _add_visits(connection, rules, visits)
        connection.execute("VACUUM ANALYZE")
    marker.write_text(json.dumps({"visits": visits, "on": datetime.now(UTC).date().isoformat()}))


def _require_future(seeded: dict[str, Any], place: Place) -> None:
    if date.fromisoformat(seeded["on"]) + timedelta(days=FUTURE_DAYS - 42) < datetime.now(UTC).date():
        raise SystemExit(f"bench: the visits in {place.folder} have passed: delete it to have it made anew.")


def _open_practice() -> list[Any]:
    """The practice with its staff and hours; returns one rule of each provider."""
    from accounts.models import Membership, ProviderProfile, User
    from appointments.models import AppointmentType, AvailabilityRule
    from patients.models import Patient
    from practices.models import Location, Resource
    from practices.services import create_practice
    from practices.tenancy import Actor, practice_scope

    by = Actor.system("bench")
    practice = create_practice(by=by, slug=SLUG, name="Clinic", time_zone=ZONE)

    def member(login: str, role: str) -> Membership:
        user = User.objects.create_user(f"{login}@{SLUG}.test", None, name=login)
        found: Membership = Membership.objects.create(user=user, roles=[role])
        return found

    with practice_scope(practice, actor=by):
        member(LOGIN, "front_desk")
        houses = [Location.objects.create(name=f"House {number}") for number in range(HOUSES)]
        AppointmentType.objects.create(name="Consultation", duration=MINUTES, alignment=STEP)
        for number in range(200):
            Patient.objects.create(given_name="Ada", family_name=f"Vale {number}")
        for number in range(PROVIDERS):
            name = f"Dr {number:02}"
            profile = ProviderProfile.objects.create(membership=member(f"dr{number:02}", "provider"), display_name=name)
            calendar = Resource.objects.create(kind="provider", name=name, provider=profile)
            AvailabilityRule.objects.bulk_create(
                AvailabilityRule(
                    resource=calendar,
                    location=houses[number % HOUSES],
                    weekday=weekday,
                    start_time=OPENS,
                    end_time=CLOSES,
                    valid_from=date(2000, 1, 1),
                )
                for weekday in range(7)
            )
        return list(AvailabilityRule.objects.filter(weekday=0).select_related("resource", "location"))


def _add_visits(connection: Any, rules: list[Any], wanted: int) -> None:
    from appointments.models import AppointmentType
    from patients.models import Patient
    from practices.tenancy import Actor, practice_scope

    practice_id, now = rules[0].practice_id, datetime.now(UTC)
    random = Random("clinic")  # noqa: S311  # the same rows every time, no secrets
    with practice_scope(practice_id, actor=Actor.system("bench")), connection.transaction():
        kind = AppointmentType.objects.get()
        patients = list(Patient.objects.order_by("mrn").values_list("pk", flat=True))
        visits = Visits(practice_id, ZONE, now, random)
        for number, start in enumerate(_starts(now, wanted, random)):
            visits.add(rules[number % PROVIDERS], kind, random.choice(patients), start)
            if number % 50_000 == 49_999 or number == wanted - 1:
                copy(connection, practice_id, visits.rows)
                visits.rows = {name: [] for name in COPIED[3:]}
                say(f"{number + 1:,}")


def _starts(now: datetime, wanted: int, random: Random) -> Any:
    """Instants, each as often in a row as there are providers: the days to come first, then back in time."""
    zone = ZoneInfo(ZONE)
    today = now.astimezone(zone).date()
    left = wanted // PROVIDERS
    coming = [today + timedelta(days=day) for day in range(FUTURE_DAYS)]
    past = (today - timedelta(days=day) for day in range(1, left))
    for day in (*coming, *past):
        count = min(left, A_WEEK[day.weekday()] if day >= today else PAST_DAY)
        for slot in sorted(random.sample(range(16), count)):
            at = datetime.combine(day, OPENS, zone) + timedelta(minutes=MINUTES * slot)
            yield from [at.astimezone(UTC)] * PROVIDERS
        left -= count
        if left <= 0:
            return
