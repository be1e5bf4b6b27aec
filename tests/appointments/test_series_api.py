"""Series over HTTP. Roles are in role_matrix.txt, strangers' ids in the isolation sweeps."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Appointment, AppointmentSeries
from audit.models import AuditEvent
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.appointments.conftest import SETUP
from tests.clients import MemberClient, client_for

URL = "/api/v1/appointment-series"
FIRST = datetime.combine(timezone.now().date() + timedelta(days=7), time(15), UTC)


def body(clinic: Any, **changes: Any) -> dict[str, Any]:
    return {
        "patient": str(clinic.patient.pk),
        "appointment_type": str(clinic.visit.pk),
        "provider": str(clinic.provider.pk),
        "location": str(clinic.location.pk),
        "start": FIRST.isoformat(),
        "rrule": "FREQ=DAILY;COUNT=3",
        **changes,
    }


@pytest.fixture
def desk(clinic: Any) -> MemberClient:
    return client_for("front_desk", clinic.practice)


def test_a_series_is_booked_listed_moved_and_cancelled(clinic: Any, desk: MemberClient) -> None:
    made = desk.post(URL, body(clinic))
    shown = made.json()
    assert (made.status_code, made["Location"], made["ETag"]) == (201, f"{URL}/{shown['id']}", '"1"')
    assert (shown["rrule"], shown["exdates"], shown["duration"]) == ("FREQ=DAILY;COUNT=3", [], 30)
    assert shown["patient"]["family_name"] == "Vale"
    assert desk.get(made["Location"]).json() == shown
    assert desk.get(URL, {"patient": str(clinic.patient.pk)}).json()["results"] == [shown]
    visits = desk.get("/api/v1/appointments", {"series": shown["id"]}).json()["results"]
    assert [(visit["series"], visit["series_index"], visit["detached"]) for visit in visits] == [
        (shown["id"], index, False) for index in (1, 2, 3)
    ]
    later = (FIRST + timedelta(days=1, hours=2)).isoformat()
    moved = desk.post(
        f"{made['Location']}/reschedule", {"scope": "following", "appointment": visits[1]["id"], "start": later}
    )
    assert (moved.status_code, moved.json()["rrule"]) == (200, "FREQ=DAILY;COUNT=2")
    assert moved.json()["id"] != shown["id"]
    ended = desk.post(f"{URL}/{moved.json()['id']}/cancel", {"scope": "all", "note": "Moved away"})
    assert ended.status_code == 200
    visits = desk.get("/api/v1/appointments", {"patient": str(clinic.patient.pk)}).json()["results"]
    assert [visit["status"] for visit in visits] == ["booked", "cancelled", "cancelled"]


def test_preview_tells_all_days_and_books_nothing(clinic: Any, desk: MemberClient) -> None:
    single = {name: value for name, value in body(clinic).items() if name != "rrule"}
    assert desk.post("/api/v1/appointments", single).status_code == 201
    response = desk.post(f"{URL}/preview", body(clinic))
    shown = response.json()
    assert (response.status_code, shown["time_zone"]) == (200, "America/New_York")
    assert [(each["index"], each["available"], each["problems"]) for each in shown["occurrences"]] == [
        (1, False, []),
        (2, True, []),
        (3, True, []),
    ]
    taken = {"resource": str(clinic.calendar.pk), "start": "T15:00:00Z", "end": "T15:30:00Z"}
    conflict = shown["occurrences"][0]["conflicts"][0]
    assert {name: value if name == "resource" else value[10:] for name, value in conflict.items()} == taken
    with practice_scope(clinic.practice, actor=SETUP):
        assert (Appointment.objects.count(), AppointmentSeries.objects.count()) == (1, 0)


def test_a_refusal_is_a_problem_with_the_days(clinic: Any, desk: MemberClient) -> None:
    assert desk.post(URL, body(clinic)).status_code == 201
    refused = desk.post(URL, body(clinic, rrule="FREQ=DAILY;COUNT=4"))
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["suggestions"]) == (409, "slot_unavailable", [])
    assert [each["index"] for each in problem["occurrences"]] == [1, 2, 3]
    assert len(problem["conflicts"]) == 3
    skipped = desk.post(URL, body(clinic, rrule="FREQ=DAILY;COUNT=4", on_conflict="skip"))
    assert (skipped.status_code, len(skipped.json()["exdates"])) == (201, 3)


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"rrule": "FREQ=YEARLY;COUNT=2"}, "/rrule", "invalid"),
        ({"rrule": 5}, "/rrule", "invalid"),
        ({"rrule": f"FREQ=MONTHLY;BYMONTHDAY={','.join(['-31'] * 50)};COUNT=2"}, "/rrule", "max_length"),
        ({"start": "2027-03-07T02:30:00", "rrule": "FREQ=DAILY"}, "/rrule", "invalid"),
        ({"on_conflict": "overwrite"}, "/on_conflict", "invalid_choice"),
        ({"exdates": ["soon"]}, "/exdates/0", "invalid"),
        ({"status": "booked"}, "/status", "unknown_field"),
    ],
)
def test_bad_input_is_named(clinic: Any, desk: MemberClient, changes: dict[str, Any], pointer: str, code: str) -> None:
    response = desk.post(URL, body(clinic, **changes))
    assert response.status_code == 400
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(pointer, code)]


@pytest.mark.parametrize(
    ("action", "sent", "pointer"),
    [
        ("reschedule", {"scope": "all"}, "/start"),
        ("reschedule", {"scope": "following", "start": "2027-03-07T10:00:00"}, "/appointment"),
        ("cancel", {"scope": "this"}, "/appointment"),
        ("cancel", {}, "/scope"),
    ],
)
def test_an_action_has_to_say_what_it_is_about(
    clinic: Any, desk: MemberClient, action: str, sent: dict[str, Any], pointer: str
) -> None:
    made = desk.post(URL, body(clinic))
    response = desk.post(f"{made['Location']}/{action}", sent)
    assert response.status_code == 400
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(pointer, "required")]


def test_if_match_protects_a_series_from_a_stale_change(clinic: Any, desk: MemberClient) -> None:
    made = desk.post(URL, body(clinic))
    move = {"scope": "all", "start": (FIRST + timedelta(hours=1)).isoformat()}
    path = f"{made['Location']}/reschedule"
    assert desk.post(path, move, headers={"If-Match": '"1"'}).status_code == 200
    assert desk.post(path, move, headers={"If-Match": '"1"'}).status_code == 412


def test_the_series_of_a_restricted_patient_has_no_name_and_is_left_alone(clinic: Any, desk: MemberClient) -> None:
    made = desk.post(URL, body(clinic))
    with practice_scope(clinic.practice, actor=SETUP):
        Patient.objects.filter(pk=clinic.patient.pk).update(restricted=True)
    shown = desk.get(made["Location"]).json()
    assert shown["patient"] == {"id": str(clinic.patient.pk)}
    assert desk.get(URL, {"patient": str(clinic.patient.pk)}).json()["results"] == []
    assert desk.post(f"{made['Location']}/cancel", {"scope": "all"}).status_code == 403
    assert desk.post(URL, body(clinic)).json()["errors"][0]["code"] == "does_not_exist"


def test_who_books_a_series_has_seen_the_patient(clinic: Any, desk: MemberClient) -> None:
    desk.post(URL, body(clinic))
    with practice_scope(clinic.practice, actor=SETUP):
        read = AuditEvent.objects.get(action="read", actor_id=desk.user.pk)
        assert read.patient_ids == [clinic.patient.pk]
        made = AuditEvent.objects.filter(action="create", entity="appointments.appointment")
        assert [event.patient_ids for event in made] == [[clinic.patient.pk]] * 3


def test_strangers_find_no_series(clinic: Any, desk: MemberClient, other_practice: Practice) -> None:
    made = desk.post(URL, body(clinic))
    stranger = client_for("owner", other_practice)
    assert stranger.get(URL).json()["results"] == []
    for answer in (
        stranger.get(made["Location"]),
        stranger.post(f"{made['Location']}/cancel", {"scope": "all"}),
        stranger.post(f"{made['Location']}/reschedule", {"scope": "all", "start": FIRST.isoformat()}),
    ):
        assert answer.status_code == 404


def test_the_list_costs_the_same_queries_for_any_number_of_series(
    clinic: Any, desk: MemberClient, django_assert_num_queries: Any
) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        AppointmentSeries.objects.bulk_create(
            AppointmentSeries(
                patient=clinic.patient,
                appointment_type=clinic.visit,
                provider=clinic.provider,
                location=clinic.location,
                rrule="FREQ=DAILY;COUNT=3",
                start_date=FIRST.date(),
                start_time=time(10),
                duration=30,
                time_zone="UTC",
            )
            for _ in range(20)
        )
    desk.get(URL)
    with django_assert_num_queries(10, exact=False):
        assert len(desk.get(URL).json()["results"]) == 20
