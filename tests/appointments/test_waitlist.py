"""The waitlist over HTTP: joining, being offered a time, taking it, giving it up, leaving."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from appointments.models import Appointment, AvailabilityRule, WaitlistEntry
from appointments.services import book, cancel
from appointments.services.freed_time import FreedTime, offer_freed_time
from integrations.models import Message
from integrations.tasks import release_holds
from patients.models import ContactPoint, Patient
from practices.models import Practice, PracticePolicy
from practices.tenancy import Actor, practice_scope
from tests.appointments.conftest import SETUP, calendar_of, tomorrow_at
from tests.clients import client_for

URL = "/api/v1/waitlist"
TODAY = timezone.now().date()
NEW_YORK = ZoneInfo("America/New_York")
WORKER = Actor.system("worker")


@pytest.fixture
def office(clinic: Any) -> Any:
    """The clinic, open all day."""
    with practice_scope(clinic.practice, actor=SETUP):
        AvailabilityRule.objects.bulk_create(
            AvailabilityRule(
                resource=clinic.calendar,
                location=clinic.location,
                weekday=weekday,
                start_time=time(0),
                end_time=time(0),
                valid_from=date(2026, 1, 1),
            )
            for weekday in range(7)
        )
    return clinic


def body(office: Any, **changes: Any) -> dict[str, Any]:
    return {
        "patient": str(office.patient.pk),
        "appointment_type": str(office.visit.pk),
        "earliest_date": TODAY.isoformat(),
        **changes,
    }


def waiting(office: Any, name: str, **changes: Any) -> WaitlistEntry:
    """In the practice's scope."""
    patient = Patient.objects.create(given_name=name, family_name="Vale")
    entry: WaitlistEntry = WaitlistEntry.objects.create(
        **{"patient": patient, "appointment_type": office.visit, "earliest_date": TODAY, **changes}
    )
    return entry


def freed(office: Any, hours: int = 15, minutes: int = 30) -> FreedTime:
    start = tomorrow_at(hours)
    end = start + timedelta(minutes=minutes)
    return FreedTime(provider=office.provider.pk, location=office.location.pk, start=start, end=end)


def names(holds: list[Appointment]) -> list[str]:
    return [hold.patient.given_name for hold in holds]


def run_jobs() -> int:
    """The offers that are queued, as the worker runs them."""
    from integrations.tasks import offer_freed_time as job

    jobs = list(ProcrastinateJob.objects.filter(task_name=job.name).order_by("id").values_list("args", flat=True))
    for args in jobs:
        job(**args)
    return len(jobs)


def test_joining_shows_the_entry_with_its_windows(office: Any) -> None:
    windows = [{"weekday": 1, "start_time": "08:00:00", "end_time": "12:00:00"}]
    client = client_for("front_desk", office.practice)
    made = client.post(URL, body(office, windows=windows, priority=2, provider=str(office.provider.pk)))
    assert made.status_code == 201, made.json()
    entry = made.json()
    assert (entry["patient"]["given_name"], entry["status"], entry["priority"]) == ("Ada", "waiting", 2)
    assert (entry["windows"], entry["offer"], entry["offer_expires_at"]) == (windows, None, None)
    assert client.get(URL).json()["results"] == [entry]
    changed = client.patch(f"{URL}/{entry['id']}", {"windows": [], "priority": 9}).json()
    assert (changed["windows"], changed["priority"]) == ([], 9)


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"earliest_date": None}, "/earliest_date", "null"),
        ({"latest_date": "2020-01-01"}, "", "invalid"),
        ({"priority": 0}, "/priority", "min_value"),
        ({"windows": [{"start_time": "12:00", "end_time": "08:00"}]}, "/windows", "invalid"),
        ({"windows": [{"weekday": 7, "start_time": "08:00", "end_time": "09:00"}]}, "/windows", "max_value"),
        ({"status": "booked"}, "/status", "unknown_field"),
    ],
)
def test_bad_entry_is_refused(office: Any, changes: dict[str, Any], pointer: str, code: str) -> None:
    response = client_for("owner", office.practice).post(URL, body(office, **changes))
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["pointer"][: len(pointer)], error["code"]) == (pointer, code), error
    with practice_scope(office.practice, actor=SETUP):
        assert not WaitlistEntry.objects.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [({"deceased_at": timezone.now()}, "patient_deceased"), ({"status": "archived"}, "patient_not_active")],
)
def test_who_can_not_be_booked_can_not_wait(office: Any, change: dict[str, Any], code: str) -> None:
    with practice_scope(office.practice, actor=SETUP):
        Patient.objects.filter(pk=office.patient.pk).update(**change)
    response = client_for("owner", office.practice).post(URL, body(office))
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, code)


def test_offer_holds_the_first_time_that_is_wanted_and_confirming_books_it(office: Any) -> None:
    client = client_for("front_desk", office.practice)
    window = {"weekday": None, "start_time": "14:00:00", "end_time": "15:00:00"}
    day = TODAY + timedelta(days=4)
    entry = client.post(URL, body(office, windows=[window], earliest_date=day.isoformat())).json()
    offered = client.post(f"{URL}/{entry['id']}/offer", {})
    assert offered.status_code == 200, offered.json()
    shown = offered.json()
    hold = client.get(f"/api/v1/appointments/{shown['offer']}").json()
    assert (shown["status"], hold["status"]) == ("offered", "pending")
    assert datetime.fromisoformat(hold["start"]) == datetime.combine(day, time(14), NEW_YORK)
    assert shown["offer_expires_at"] == hold["hold_expires_at"]
    left = datetime.fromisoformat(hold["hold_expires_at"]) - timezone.now()
    assert timedelta(minutes=119) < left <= timedelta(minutes=120)
    again = client.post(f"{URL}/{entry['id']}/offer", {})
    assert (again.status_code, again.json()["code"]) == (409, "not_waiting")
    client.post(f"/api/v1/appointments/{hold['id']}/confirm", {})
    booked = client.get(f"{URL}/{entry['id']}").json()
    assert (booked["status"], booked["offer"]) == ("booked", None)
    assert client.post(f"{URL}/{entry['id']}/withdraw", {}).json()["code"] == "not_waiting"


def test_offer_of_a_taken_time_says_what_is_free_and_leaves_the_entry_waiting(office: Any, booking: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        book(booking(), by=SETUP)
    client = client_for("front_desk", office.practice)
    entry = client.post(URL, body(office, location=str(office.location.pk))).json()
    wanted = {"start": tomorrow_at(15).isoformat(), "provider": str(office.provider.pk)}
    refused = client.post(f"{URL}/{entry['id']}/offer", wanted)
    assert (refused.status_code, refused.json()["code"]) == (409, "slot_unavailable")
    assert len(refused.json()["suggestions"]) == 5
    assert client.get(f"{URL}/{entry['id']}").json()["status"] == "waiting"


def test_nothing_wanted_is_free(clinic: Any) -> None:
    client = client_for("owner", clinic.practice)
    entry = client.post(URL, body(clinic)).json()
    refused = client.post(f"{URL}/{entry['id']}/offer", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_free_time")


def test_withdrawing_gives_the_held_time_back(office: Any) -> None:
    client = client_for("front_desk", office.practice)
    entry = client.post(URL, body(office)).json()
    hold = client.post(f"{URL}/{entry['id']}/offer", {}).json()["offer"]
    gone = client.post(f"{URL}/{entry['id']}/withdraw", {}).json()
    assert (gone["status"], gone["offer"]) == ("withdrawn", None)
    assert client.get(f"/api/v1/appointments/{hold}").json()["status"] == "cancelled"


# --- Offering what became free --------------------------------------------------------------------------


def test_best_match_is_first_by_priority_then_by_waiting(office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        other = calendar_of(office.practice, "Moss")
        waiting(office, "Late", priority=2)
        waiting(office, "Elsewhere", priority=1, location=other.location)
        waiting(office, "Other provider", priority=1, provider=other.provider)
        waiting(office, "Next year", priority=1, earliest_date=TODAY + timedelta(days=300))
        waiting(office, "Too early", priority=1, latest_date=TODAY)
        long = waiting(office, "Too long", priority=1, appointment_type=other.visit)
        other.visit.duration = 60
        other.visit.save()
        mornings = waiting(office, "Other hours", priority=1)
        mornings.windows.create(start_time=time(1), end_time=time(2))
        waiting(office, "First", priority=2)
        WaitlistEntry.objects.filter(patient__given_name="Late").update(created_at=timezone.now())
        assert names(offer_freed_time(freed(office), by=WORKER)) == ["First"]
        assert long.status == "waiting"
        assert names(offer_freed_time(freed(office), by=WORKER)) == []


def test_a_longer_time_is_offered_to_as_many_as_fit(office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        for name in "ABC":
            waiting(office, name)
        holds = offer_freed_time(freed(office, minutes=60), by=WORKER)
        assert names(holds) == ["A", "B"]
        assert [hold.start for hold in holds] == [tomorrow_at(15), tomorrow_at(15, 30)]


def test_cancelled_time_is_offered_by_job_then_to_the_next_and_never_twice_to_the_same(
    office: Any, booking: Any
) -> None:
    with practice_scope(office.practice, actor=SETUP):
        visit = book(booking(), by=SETUP)
        first = waiting(office, "First", priority=1)
        second = waiting(office, "Second")
        ContactPoint.objects.create(patient=first.patient, kind="phone", value="+12125550103", use="mobile")
        cancel(visit, by=SETUP)
    assert run_jobs() == 1
    with practice_scope(office.practice, actor=SETUP):
        (hold,) = Appointment.objects.filter(status="pending")
        assert (hold.patient, hold.start) == (first.patient, visit.start)
        assert list(Message.objects.values_list("kind", "patient")) == [("waitlist-offer", first.patient.pk)]
        Appointment.objects.filter(pk=hold.pk).update(hold_expires_at=timezone.now() - timedelta(seconds=1))
    release_holds(timestamp=0)
    run_jobs()
    with practice_scope(office.practice, actor=SETUP):
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.status, second.status) == ("waiting", "offered")
        (hold,) = Appointment.objects.filter(status="pending")
        cancel(hold, by=SETUP)  # not wanted
    run_jobs()
    with practice_scope(office.practice, actor=SETUP):
        assert not Appointment.objects.filter(status="pending").exists()
        assert set(WaitlistEntry.objects.values_list("status", flat=True)) == {"waiting"}


def test_nothing_is_queued_while_nobody_waits_or_for_what_is_past(office: Any, booking: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        cancel(book(booking(), by=SETUP), by=SETUP)
        waiting(office, "First")
        cancel(book(booking(start=timezone.now() - timedelta(hours=1)), by=SETUP), by=SETUP)
    assert run_jobs() == 0


def test_moving_away_offers_the_old_time(office: Any, booking: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        visit = book(booking(), by=SETUP)
        waiting(office, "First")
    client = client_for("owner", office.practice)
    client.post(f"/api/v1/appointments/{visit.pk}/reschedule", {"start": tomorrow_at(17).isoformat()})
    assert run_jobs() == 1
    with practice_scope(office.practice, actor=SETUP):
        assert [hold.start for hold in Appointment.objects.filter(status="pending")] == [tomorrow_at(15)]


def test_offer_is_held_no_longer_than_until_the_visit(office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        PracticePolicy.objects.update(offer_ttl_minutes=10_080)
        waiting(office, "First")
        (hold,) = offer_freed_time(freed(office), by=WORKER)
        assert hold.hold_expires_at == hold.start


# --- Who may ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["assistant", "front_desk", "biller", "auditor"])
def test_restricted_patient_waits_without_a_name(office: Any, role: str) -> None:
    with practice_scope(office.practice, actor=SETUP):
        entry = waiting(office, "First")
        Patient.objects.filter(pk=entry.patient_id).update(restricted=True)
    client = client_for(role, office.practice)
    (shown,) = client.get(URL).json()["results"]
    assert shown["patient"] == {"id": str(entry.patient_id)}
    assert client.get(URL, {"patient": str(entry.patient_id)}).json()["results"] == []
    for action in ("offer", "withdraw"):
        assert client.post(f"{URL}/{entry.pk}/{action}", {}).status_code == 403
    hidden = client.post(URL, body(office, patient=str(entry.patient_id)))
    assert hidden.status_code == (400 if role in {"assistant", "front_desk"} else 403)


def test_strangers_find_nothing(office: Any, other_practice: Practice) -> None:
    with practice_scope(office.practice, actor=SETUP):
        entry = waiting(office, "First")
    stranger = client_for("owner", other_practice)
    assert stranger.get(URL).json()["results"] == []
    assert stranger.get(f"{URL}/{entry.pk}").status_code == 404
    assert stranger.patch(f"{URL}/{entry.pk}", {"priority": 1}).status_code == 404
    for action in ("offer", "withdraw"):
        assert stranger.post(f"{URL}/{entry.pk}/{action}", {}).status_code == 404


@pytest.mark.parametrize("size", [1, 30])
def test_list_costs_the_same_for_any_number(office: Any, size: int, django_assert_num_queries: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        for number in range(size):
            waiting(office, f"Nr {number}").windows.create(start_time=time(1), end_time=time(2))
    client = client_for("owner", office.practice)
    client.get(URL)
    with django_assert_num_queries(10, exact=False):
        assert len(client.get(URL).json()["results"]) == size
