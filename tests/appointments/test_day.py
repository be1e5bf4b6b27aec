"""A location's day in one answer."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from appointments.models import Appointment, AvailabilityRule, ResourceAllocation
from audit.models import AuditEvent
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.appointments.conftest import SETUP, calendar_of
from tests.clients import client_for

NEW_YORK = ZoneInfo("America/New_York")
DAY = timezone.now().date() + timedelta(days=3)
SEVEN = timedelta(minutes=7)


@pytest.fixture
def office(clinic: Any) -> Any:
    """The clinic, open each day from nine to twelve."""
    with practice_scope(clinic.practice, actor=SETUP):
        open_daily(clinic, clinic.calendar)
    return clinic


def open_daily(office: Any, calendar: Any) -> None:
    for weekday in range(7):
        AvailabilityRule.objects.create(
            resource=calendar,
            location=office.location,
            weekday=weekday,
            start_time=time(9),
            end_time=time(12),
            valid_from=date(2026, 1, 1),
        )


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute), NEW_YORK)


def written(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def put(office: Any, start: datetime, minutes: int = 30, **values: Any) -> Appointment:
    """A visit that occupies its time; in the practice's scope."""
    end = start + timedelta(minutes=minutes)
    visit: Appointment = Appointment.objects.create(
        **{
            "patient": office.patient,
            "appointment_type": office.visit,
            "provider": office.provider,
            "location": office.location,
            "start": start,
            "end": end,
            "time_zone": "America/New_York",
            "status": "booked",
            **values,
        }
    )
    ResourceAllocation.objects.create(
        appointment=visit, resource=office.calendar, start=start, end=end, blocking=visit.blocks
    )
    return visit


def ask(client: Any, office: Any, **query: Any) -> Any:
    return client.get("/api/v1/day", {"location": office.location.pk, "date": DAY.isoformat(), **query})


def spans(*pairs: tuple[datetime, datetime]) -> list[dict[str, str]]:
    return [{"start": written(start), "end": written(end)} for start, end in pairs]


def test_day_shows_hours_visits_gaps_and_waiting(office: Any) -> None:
    arrived = timezone.now() - timedelta(minutes=25, seconds=30)
    with practice_scope(office.practice, actor=SETUP):
        waiting = put(office, at(9, 30), status="arrived", arrived_at=arrived)
        gone = put(
            office, at(10), status="checked-in", arrived_at=arrived, checked_in_at=arrived + timedelta(minutes=7)
        )
        ended = put(office, at(11), status="cancelled")
        put(office, at(11, 30), status="entered-in-error")
        put(office, at(11, 30), status="pending", hold_expires_at=timezone.now() - timedelta(minutes=1))
        put(office, at(9, day=DAY + timedelta(days=1)))
        calendar_of(office.practice, "Idle")
    response = ask(client_for("front_desk", office.practice), office)
    assert response.status_code == 200, response.json()
    day = response.json()
    assert (day["location"], day["date"], day["time_zone"]) == (
        str(office.location.pk),
        DAY.isoformat(),
        "America/New_York",
    )
    assert (day["start"], day["end"]) == (written(at(0)), written(at(0, day=DAY + timedelta(days=1))))
    (provider,) = day["providers"]
    assert provider["provider"] == {"id": str(office.provider.pk), "display_name": "Dr Vale"}
    assert provider["available"] == spans((at(9), at(12)))
    assert provider["gaps"] == spans((at(9), at(9, 30)), (at(10, 30), at(12)))
    assert [(each["id"], each["status"], each["waiting_minutes"]) for each in provider["visits"]] == [
        (str(waiting.pk), "arrived", 25),
        (str(gone.pk), "checked-in", 7),
        (str(ended.pk), "cancelled", None),
    ]
    assert provider["visits"][0]["patient"]["family_name"] == "Vale"
    with practice_scope(office.practice, actor=SETUP):
        (read,) = AuditEvent.objects.filter(action="read")
        assert read.patient_ids == [office.patient.pk]


def test_visits_without_hours_and_elsewhere(office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        moss = calendar_of(office.practice, "Moss")
        put(office, at(15), provider=moss.provider)
        put(office, at(9), location=moss.location)
    providers = ask(client_for("owner", office.practice), office).json()["providers"]
    shown = [(each["provider"]["display_name"], len(each["visits"]), each["gaps"]) for each in providers]
    assert shown == [
        ("Dr Moss", 1, []),
        ("Dr Vale", 0, spans((at(9, 30), at(12)))),  # taken elsewhere is not free here
    ]


@pytest.mark.parametrize(("day", "hours"), [(date(2027, 3, 14), 23), (date(2027, 11, 7), 25), (date(2027, 6, 1), 24)])
def test_day_is_as_long_as_the_clocks_make_it(office: Any, day: date, hours: int) -> None:
    shown = ask(client_for("owner", office.practice), office, date=day.isoformat()).json()
    length = datetime.fromisoformat(shown["end"]) - datetime.fromisoformat(shown["start"])
    assert length == timedelta(hours=hours)
    assert shown["providers"][0]["available"] == spans((at(9, day=day), at(12, day=day)))


def test_restricted_patient_is_busy_time_without_a_name(office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        put(office, at(9), overbook_reason="Insisted")
        Patient.objects.filter(pk=office.patient.pk).update(restricted=True)
    for role, name in (("front_desk", None), ("admin", "Vale")):
        (provider,) = ask(client_for(role, office.practice), office).json()["providers"]
        (visit,) = provider["visits"]
        assert visit["patient"].get("family_name") == name
        assert visit.get("overbook_reason") == (name and "Insisted")
        assert "notes" not in visit


@pytest.mark.parametrize("size", [1, 30])
def test_number_of_statements_is_fixed(office: Any, size: int) -> None:
    with practice_scope(office.practice, actor=SETUP):
        for number in range(size):
            parts = office if number == 0 else calendar_of(office.practice, f"Nr{number}")
            parts.location = office.location
            if number:
                open_daily(office, parts.calendar)
            put(parts, at(9))
    client = client_for("owner", office.practice)
    ask(client, office)
    with CaptureQueriesContext(connection) as statements:
        providers = ask(client, office).json()["providers"]
    assert [len(each["visits"]) for each in providers] == [1] * size
    assert len(statements) <= 14


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ({"location": uuid4()}, "/location", "does_not_exist"),
        ({"date": "tomorrow"}, "/date", "invalid"),
        ({"date": "9999-12-31"}, "/date", "invalid"),
        ({"date": "0001-01-01"}, "/date", "invalid"),
        ({"colour": "red"}, "/colour", "unknown_parameter"),
    ],
)
def test_wrong_parameters_are_refused(office: Any, query: dict[str, Any], pointer: str, code: str) -> None:
    response = ask(client_for("owner", office.practice), office, **query)
    assert response.status_code == 400
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(pointer, code)]


def test_stranger_s_location_is_unknown(office: Any, other_practice: Practice) -> None:
    response = ask(client_for("owner", other_practice), office)
    assert [error["code"] for error in response.json()["errors"]] == ["does_not_exist"]


@pytest.mark.parametrize("role", Role.values)
def test_every_role_that_reads_visits_sees_the_day(office: Any, role: str) -> None:
    assert ask(client_for(role, office.practice), office).status_code == 200
