"""Asks django-appointment the same two questions, and prints how long its answers take: `VISITS ROUNDS`.

By its own functions, which its views call once for each person and day; HTTP and JSON would come on top.
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import date, timedelta
from time import perf_counter
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.django_appointment.settings"
django.setup()

from appointment.models import Service, StaffMember, WorkingHours  # noqa: E402  # needs Django
from appointment.services import get_available_slots_for_staff  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from tests.benchmarks.clinic import CLOSES, FUTURE_DAYS, HOUSES, MINUTES, OPENS, PAST_DAY, PROVIDERS, STEP  # noqa: E402

DAYS = 14


def main(visits: int, rounds: int) -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    if not StaffMember.objects.exists():
        _seed(visits)
    service = Service.objects.get()
    everybody = list(StaffMember.objects.order_by("id"))
    tomorrow = date.today() + timedelta(days=2)  # noqa: DTZ011  # the practice's own days, as its views take them

    def slots(staff: Any, day: date) -> list[Any]:
        found: list[Any] = get_available_slots_for_staff(day, staff, (day.weekday() + 1) % 7, service=service)
        return found

    def two_weeks() -> int:
        days = [tomorrow + timedelta(days=offset) for offset in range(DAYS)]
        return sum(len(slots(staff, day)) for staff in everybody[::HOUSES] for day in days)

    def next_of_all() -> int:
        return sum(
            next(len(found) for offset in range(90) if (found := slots(staff, tomorrow + timedelta(days=offset))))
            for staff in everybody
        )

    print(json.dumps({"free": _timed(two_weeks, rounds), "next": _timed(next_of_all, rounds)}))  # noqa: T201


def _timed(ask: Callable[[], int], rounds: int) -> dict[str, Any]:
    with CaptureQueriesContext(connection) as statements:
        found = ask()
    milliseconds = []
    for _ in range(rounds):
        began = perf_counter()
        ask()
        milliseconds.append((perf_counter() - began) * 1000)
    return {"ms": milliseconds, "statements": len(statements), "slots": found}


@transaction.atomic
def _seed(visits: int) -> None:
    """As many appointments of as many people, equally dense: three a day to come, then back in time."""
    service = Service.objects.create(name="Consultation", duration=timedelta(minutes=MINUTES), price=0)
    client = User.objects.create(username="client")
    for number in range(PROVIDERS):
        user = User.objects.create(username=f"dr{number}", first_name="Dr", last_name=str(number))
        staff = StaffMember.objects.create(user=user, slot_duration=STEP, lead_time=OPENS, finish_time=CLOSES)
        staff.services_offered.add(service)
        for weekday in range(7):
            hours = {"day_of_week": weekday, "start_time": OPENS, "end_time": CLOSES}
            WorkingHours.objects.create(staff_member=staff, **hours)
    coming = FUTURE_DAYS * 3
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO appointment_appointmentrequest
                (date, start_time, end_time, service_id, staff_member_id, payment_type, reschedule_attempts,
                 created_at, updated_at)
            SELECT placed.day, time '08:00' + placed.slot * interval '30 minutes',
                time '08:30' + placed.slot * interval '30 minutes', %(service)s, staff.id, 'full', 0, now(), now()
            FROM appointment_staffmember AS staff, generate_series(0, %(each)s - 1) AS number, LATERAL (
                SELECT CASE WHEN number < %(coming)s THEN current_date + number / 3
                    ELSE current_date - 1 - (number - %(coming)s) / %(past)s END AS day,
                    CASE WHEN number < %(coming)s THEN number %% 3 * 5
                    ELSE (number - %(coming)s) %% %(past)s END AS slot
            ) AS placed
            """,
            {"service": service.pk, "each": visits // PROVIDERS, "coming": coming, "past": PAST_DAY},
        )
        cursor.execute(
            """
            INSERT INTO appointment_appointment
                (client_id, appointment_request_id, phone, want_reminder, paid, amount_to_pay, created_at, updated_at)
            SELECT %s, id, '', false, false, 0, now(), now() FROM appointment_appointmentrequest
            """,
            [client.pk],
        )
        cursor.execute("ANALYZE")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
