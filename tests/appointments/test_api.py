"""Appointments over HTTP, as each role and as a stranger."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Access, Area, Role, allowed
from appointments.models import Appointment, AppointmentType, AvailabilityRule
from audit.models import AuditEvent
from patients.models import Patient
from practices.models import Closure, Practice, Resource
from practices.tenancy import practice_scope
from tests.accounts.test_api_keys import made, with_key
from tests.appointments.conftest import SETUP, calendar_of, tomorrow_at
from tests.clients import client_for, client_of

URL = "/api/v1/appointments"
ACTIONS = ("confirm", "arrive", "check-in", "fulfill", "cancel", "no-show", "reschedule", "undo", "enter-in-error")


def body(clinic: Any, **changes: Any) -> dict[str, Any]:
    return {
        "patient": str(clinic.patient.pk),
        "appointment_type": str(clinic.visit.pk),
        "provider": str(clinic.provider.pk),
        "location": str(clinic.location.pk),
        "start": tomorrow_at(15).isoformat(),
        **changes,
    }


@pytest.fixture
def booked(clinic: Any) -> Any:
    response = client_for("owner", clinic.practice).post(URL, body(clinic))
    assert response.status_code == 201, response.json()
    return response.json()


def test_booking_shows_the_appointment_with_patient_and_provider(clinic: Any) -> None:
    response = client_for("front_desk", clinic.practice).post(URL, body(clinic, notes="Bring the X-ray"))
    shown = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"{URL}/{shown['id']}"
    assert response["ETag"] == '"1"'
    assert shown["patient"] == {
        "id": str(clinic.patient.pk),
        "given_name": "Ada",
        "family_name": "Vale",
        "mrn": clinic.patient.mrn,
    }
    assert shown["provider"] == {"id": str(clinic.provider.pk), "display_name": "Dr Vale"}
    assert (shown["status"], shown["time_zone"], shown["notes"]) == ("booked", "America/New_York", "Bring the X-ray")
    assert shown["allowed_transitions"] == ["arrive", "cancel", "check-in", "confirm", "enter-in-error"]


@pytest.mark.parametrize("role", [Role.OWNER, Role.FRONT_DESK, Role.PROVIDER])
def test_booking_is_answered_as_it_is_read_afterwards(clinic: Any, role: str) -> None:
    """The answer is made of what is in memory, without reading it again."""
    with practice_scope(clinic.practice, actor=SETUP):
        clinic.visit.max_attendees = 2
        clinic.visit.save()
        alone = AppointmentType.objects.create(name="Alone", duration=20)
        grace = Patient.objects.create(given_name="Grace", family_name="O\u2019Neill", restricted=role == Role.OWNER)
    client = client_for(role, clinic.practice)
    local = tomorrow_at(14).replace(tzinfo=None).isoformat()
    wishes = [
        body(clinic, start=tomorrow_at(15).isoformat().replace("+00:00", ".1234567+05:30")),
        body(clinic, start=tomorrow_at(17).isoformat(), patient=str(grace.pk), notes=" \u201cX\u201d,\ntwo  lines "),
        body(clinic, start=tomorrow_at(17).isoformat()),
        body(clinic, start=local, end=tomorrow_at(20).isoformat(), appointment_type=str(alone.pk), hold=True),
    ]
    if role == Role.OWNER:
        wishes.append(body(clinic, start=local, appointment_type=str(alone.pk), overbook_reason=" Urgent "))
    for wish in wishes:
        response = client.post(URL, wish)
        assert response.status_code == 201, response.json()
        read = client.get(response["Location"])
        assert response.json() == read.json()
        assert response["ETag"] == read["ETag"]


def test_booking_takes_few_statements(clinic: Any) -> None:
    """Six, where the patient can't be reached; two log what was done, and three are the scope's inside a test."""
    client = client_for("owner", clinic.practice)
    assert client.post(URL, body(clinic)).status_code == 201  # keys and classes are made once a process
    with CaptureQueriesContext(connection) as queries:
        assert client.post(URL, body(clinic, start=tomorrow_at(17).isoformat())).status_code == 201
    asked = [each["sql"] for each in queries if "SAVEPOINT" not in each["sql"]]
    assert len(asked) == 11, "\n".join(each[:80] for each in asked)


def test_double_booking_is_refused_with_conflicts(clinic: Any, booked: Any) -> None:
    response = client_for("front_desk", clinic.practice).post(URL, body(clinic))
    problem = response.json()
    assert response.status_code == 409
    assert problem["code"] == "slot_unavailable"
    assert [each["resource"] for each in problem["conflicts"]] == [str(clinic.calendar.pk)]
    with practice_scope(clinic.practice, actor=SETUP):
        assert Appointment.objects.count() == 1


def test_dry_run_books_nothing(clinic: Any) -> None:
    response = client_for("front_desk", clinic.practice).post(URL, body(clinic, dry_run=True))
    assert response.status_code == 200
    assert response.json()["provider"] == str(clinic.provider.pk)
    with practice_scope(clinic.practice, actor=SETUP):
        assert Appointment.objects.count() == 0


def test_any_provider_is_the_least_loaded_who_is_free(clinic: Any, booked: Any) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        moss = calendar_of(clinic.practice, "Moss")
        for part in (clinic, moss):
            for weekday in range(7):
                AvailabilityRule.objects.create(
                    resource=part.calendar,
                    location=clinic.location,
                    weekday=weekday,
                    start_time="00:00",
                    end_time="00:00",
                    valid_from=timezone.now().date() - timedelta(days=7),
                )
    wish = body(clinic, any_provider=True)
    del wish["provider"]
    client = client_for("front_desk", clinic.practice)
    assert client.post(URL, wish).json()["provider"]["id"] == str(moss.provider.pk)
    assert client.post(URL, wish).status_code == 409


@pytest.mark.parametrize("field", ["patient", "appointment_type", "provider", "location"])
def test_booking_with_a_strangers_id_reads_like_an_unknown_one(
    clinic: Any, other_practice: Practice, field: str
) -> None:
    with practice_scope(other_practice, actor=SETUP):
        theirs = calendar_of(other_practice)
    named = {"patient": theirs.patient, "appointment_type": theirs.visit}.get(field) or getattr(theirs, field)
    client = client_for("owner", clinic.practice)
    foreign = client.post(URL, body(clinic, **{field: str(named.pk)})).json()
    unknown = client.post(URL, body(clinic, **{field: "00000000-0000-7000-8000-000000000000"})).json()
    assert foreign["status"] == 400
    assert [error["pointer"] for error in foreign["errors"]] == [f"/{field}"]
    assert {**foreign, "request_id": ""} == {**unknown, "request_id": ""}


def test_strangers_find_nothing(clinic: Any, booked: Any, other_practice: Practice) -> None:
    stranger = client_for("owner", other_practice)
    assert stranger.get(URL).json()["results"] == []
    assert stranger.get(f"{URL}/{booked['id']}").status_code == 404
    assert stranger.get(f"{URL}/{booked['id']}/history").status_code == 404
    assert stranger.patch(f"{URL}/{booked['id']}", {"notes": "x"}).status_code == 404
    for action in ACTIONS:
        assert stranger.post(f"{URL}/{booked['id']}/{action}", {}).status_code == 404


@pytest.mark.parametrize("role", Role.values)
def test_each_role_does_what_the_table_says(clinic: Any, booked: Any, role: str) -> None:
    client = client_for(role, clinic.practice)
    may_read = allowed([role], Area.APPOINTMENTS, Access.READ)
    may_write = allowed([role], Area.APPOINTMENTS, Access.WRITE)
    may_undo = allowed([role], Area.OVERBOOK, Access.WRITE)
    path = f"{URL}/{booked['id']}"
    assert client.get(URL).status_code == (200 if may_read else 403)
    assert client.get(path).status_code == (200 if may_read else 403)
    assert client.patch(path, {"notes": "x"}).status_code == (200 if may_write else 403)
    assert client.post(URL, body(clinic, start=tomorrow_at(17).isoformat())).status_code == (201 if may_write else 403)
    assert client.post(f"{path}/arrive", {}).status_code == (200 if may_write else 403)
    if may_write:
        assert client.post(f"{path}/undo", {}).status_code == (200 if may_undo else 403)


def test_notes_are_no_business_of_a_key_that_was_not_given_them(clinic: Any) -> None:
    owner = client_for("owner", clinic.practice)
    booked = owner.post(URL, body(clinic, notes="Bring the X-ray")).json()
    path = f"{URL}/{booked['id']}"
    for scopes, shown, status in (
        (["appointments:write"], None, 403),
        (["appointments:write", "booking_notes:read"], "Bring the X-ray", 403),
        (["appointments:write", "booking_notes:write"], "Bring the X-ray", 200),
    ):
        program = with_key(made(owner, *scopes)["key"])
        assert program.get(path).json().get("notes") == shown
        assert program.patch(path, {"flow_stage": "waiting"}, format="json").status_code == 200
        patched = program.patch(path, {"notes": "Changed"}, format="json")
        asked = program.post(
            URL, body(clinic, start=tomorrow_at(17).isoformat(), notes="x", dry_run=True), format="json"
        )
        assert (patched.status_code, asked.status_code) == (status, status)
    assert owner.get(path).json()["notes"] == "Changed"


def test_provider_undoes_what_concerns_their_own_visits(clinic: Any, booked: Any) -> None:
    own = client_of(clinic.user, clinic.practice)
    own.post(f"{URL}/{booked['id']}/arrive", {})
    assert client_for("provider", clinic.practice).post(f"{URL}/{booked['id']}/undo", {}).status_code == 403
    assert own.post(f"{URL}/{booked['id']}/undo", {}).json()["status"] == "booked"


def test_invalid_transition_says_what_is_allowed(clinic: Any, booked: Any) -> None:
    response = client_for("owner", clinic.practice).post(f"{URL}/{booked['id']}/undo", {})
    assert response.status_code == 409
    assert response.json()["code"] == "invalid_transition"
    assert "cancel" in response.json()["allowed_transitions"]


def test_stale_if_match_is_refused_and_changes_nothing(clinic: Any, booked: Any) -> None:
    client = client_for("owner", clinic.practice)
    path = f"{URL}/{booked['id']}"
    assert client.post(f"{path}/confirm", {}, headers={"If-Match": '"1"'}).status_code == 200
    assert client.post(f"{path}/arrive", {}, headers={"If-Match": '"1"'}).status_code == 412
    assert client.get(path).json()["status"] == "booked"


def test_cancel_then_book_again_and_history(clinic: Any, booked: Any) -> None:
    client = client_for("owner", clinic.practice)
    cancelled = client.post(f"{URL}/{booked['id']}/cancel", {"note": "Feels better"})
    assert cancelled.json()["status"] == "cancelled"
    assert client.post(URL, body(clinic)).status_code == 201
    history = client.get(f"{URL}/{booked['id']}/history").json()
    assert [(event["action"], event["to_status"]) for event in history] == [("book", "booked"), ("cancel", "cancelled")]


def test_reschedule_of_the_status_by_patch_is_refused(clinic: Any, booked: Any) -> None:
    response = client_for("owner", clinic.practice).patch(f"{URL}/{booked['id']}", {"status": "cancelled"})
    assert (response.status_code, response.json()["code"]) == (400, "unknown_field")


def test_list_filters_by_time_provider_and_status(clinic: Any, booked: Any) -> None:
    client = client_for("owner", clinic.practice)
    day = {"start__gte": tomorrow_at(0).isoformat(), "start__lt": tomorrow_at(23).isoformat()}
    assert len(client.get(URL, {**day, "provider": clinic.provider.pk}).json()["results"]) == 1
    assert client.get(URL, {**day, "status__in": "cancelled,noshow"}).json()["results"] == []
    assert client.get(URL, {"start__lt": tomorrow_at(0).isoformat()}).json()["results"] == []
    assert client.get(URL, {"status": "nonsense"}).status_code == 400


@pytest.mark.parametrize("size", [1, 30])
def test_list_costs_the_same_queries_for_any_number_of_rows(
    clinic: Any, size: int, django_assert_num_queries: Any
) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        Appointment.objects.bulk_create(
            Appointment(
                patient=clinic.patient,
                appointment_type=clinic.visit,
                provider=clinic.provider,
                location=clinic.location,
                start=tomorrow_at(9) + timedelta(minutes=minute),
                end=tomorrow_at(10) + timedelta(minutes=minute),
                time_zone="UTC",
                status="booked",
            )
            for minute in range(size)
        )
    client = client_for("owner", clinic.practice)
    client.get(URL)
    with django_assert_num_queries(10, exact=False):
        assert len(client.get(URL).json()["results"]) == size


def test_provider_sees_and_writes_only_own_hours(clinic: Any) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        moss = calendar_of(clinic.practice, "Moss")
    hours = {
        "location": str(clinic.location.pk),
        "weekday": 0,
        "start_time": "09:00",
        "end_time": "17:00",
        "valid_from": "2027-01-01",
    }
    client = client_of(clinic.user, clinic.practice)
    created = client.post("/api/v1/availability-rules", {**hours, "resource": str(clinic.calendar.pk)})
    assert created.status_code == 201, created.json()
    assert client.post("/api/v1/availability-rules", {**hours, "resource": str(moss.calendar.pk)}).status_code == 403
    theirs = client_for("owner", clinic.practice).post(
        "/api/v1/availability-rules", {**hours, "resource": str(moss.calendar.pk)}
    )
    assert client.get(f"/api/v1/availability-rules/{theirs.json()['id']}").status_code == 404
    moved = client.patch(f"/api/v1/availability-rules/{created.json()['id']}", {"resource": str(moss.calendar.pk)})
    assert moved.status_code == 403
    assert len(client.get("/api/v1/availability-rules").json()["results"]) == 1
    assert client.delete(f"/api/v1/availability-rules/{created.json()['id']}").status_code == 204


def test_resource_of_a_provider_is_not_booked_twice_by_naming_it(clinic: Any) -> None:
    response = client_for("owner", clinic.practice).post(URL, body(clinic, resources=[str(clinic.calendar.pk)]))
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "duplicate")
    with practice_scope(clinic.practice, actor=SETUP):
        assert Resource.objects.count() == 2


def hide_patient(clinic: Any) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        Patient.objects.filter(pk=clinic.patient.pk).update(restricted=True)


@pytest.mark.parametrize("role", ["assistant", "front_desk", "biller", "auditor"])
def test_visit_of_a_restricted_patient_is_a_busy_time_without_a_name(clinic: Any, role: str) -> None:
    booked = client_for("owner", clinic.practice).post(URL, body(clinic, notes="Bring the X-ray")).json()
    hide_patient(clinic)
    client = client_for(role, clinic.practice)
    shown = client.get(f"{URL}/{booked['id']}").json()
    assert shown["patient"] == {"id": str(clinic.patient.pk)}
    assert {"notes", "overbook_reason"}.isdisjoint(shown)
    assert (shown["start"], shown["status"]) == (booked["start"], "booked")
    assert client.get(URL).json()["results"] == [shown]
    assert client.get(URL, {"patient": str(clinic.patient.pk)}).json()["results"] == []
    assert client.get(f"{URL}/{booked['id']}/history").status_code == 403


def test_visit_of_a_restricted_patient_is_shown_to_those_who_see_the_chart(clinic: Any, booked: Any) -> None:
    hide_patient(clinic)
    client = client_for("admin", clinic.practice)
    assert client.get(f"{URL}/{booked['id']}").json()["patient"]["family_name"] == "Vale"
    assert len(client.get(URL, {"patient": str(clinic.patient.pk)}).json()["results"]) == 1


@pytest.mark.parametrize("action", ACTIONS)
def test_visit_of_a_restricted_patient_is_left_alone_by_the_front_desk(clinic: Any, booked: Any, action: str) -> None:
    hide_patient(clinic)
    client = client_for("front_desk", clinic.practice)
    moved = {"start": tomorrow_at(16).isoformat()} if action == "reschedule" else {}
    assert client.post(f"{URL}/{booked['id']}/{action}", moved).status_code == 403
    assert client.patch(f"{URL}/{booked['id']}", {"notes": "Overwritten"}).status_code == 403


def test_restricted_patient_is_unknown_to_who_books_without_seeing_the_chart(clinic: Any) -> None:
    hide_patient(clinic)
    client = client_for("front_desk", clinic.practice)
    hidden = client.post(URL, body(clinic))
    unknown = client.post(URL, body(clinic, patient=str(clinic.visit.pk)))
    assert hidden.status_code == unknown.status_code == 400
    assert hidden.json()["errors"] == unknown.json()["errors"]


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("obstacle", ["patient_not_active", "patient_deceased", "closed"])
def test_nothing_is_booked_again_against_the_rules(clinic: Any, held: bool, obstacle: str) -> None:
    client = client_for("owner", clinic.practice)
    booked = client.post(URL, body(clinic, hold=held)).json()
    if not held:
        client.post(f"{URL}/{booked['id']}/cancel", {})
    with practice_scope(clinic.practice, actor=SETUP):
        if obstacle == "patient_not_active":
            Patient.objects.filter(pk=clinic.patient.pk).update(status="archived")
        elif obstacle == "patient_deceased":
            Patient.objects.filter(pk=clinic.patient.pk).update(deceased_at=timezone.now())
        else:
            day = tomorrow_at(15).date()
            Closure.objects.create(name="Flood", start_date=day, end_date=day)
    response = client.post(f"{URL}/{booked['id']}/{'confirm' if held else 'undo'}", {})
    assert response.status_code == 400
    assert [error["code"] for error in response.json()["errors"]] == [obstacle]


def test_second_provider_stays_with_a_visit_that_is_moved(clinic: Any) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        moss = calendar_of(clinic.practice, "Moss")
    client = client_for("owner", clinic.practice)
    booked = client.post(URL, body(clinic, resources=[str(moss.calendar.pk)])).json()
    assert client.post(f"{URL}/{booked['id']}/reschedule", {"start": tomorrow_at(16).isoformat()}).status_code == 200
    refused = client.post(URL, body(clinic, provider=str(moss.provider.pk), start=tomorrow_at(16).isoformat()))
    assert refused.status_code == 409
    handed_over = {"start": tomorrow_at(17).isoformat(), "provider": str(moss.provider.pk)}
    assert client.post(f"{URL}/{booked['id']}/reschedule", handed_over).status_code == 200
    again = client.post(URL, body(clinic, start=tomorrow_at(17).isoformat()))
    assert again.status_code == 201


def test_a_replayed_booking_is_on_record_as_read_again(clinic: Any) -> None:
    client = client_for("front_desk", clinic.practice)
    for replayed in (None, "true"):
        response = client.post(URL, body(clinic), headers={"Idempotency-Key": "k"})
        assert (response.status_code, response.get("Idempotent-Replayed")) == (201, replayed)
    with practice_scope(clinic.practice, actor=SETUP):
        reads = AuditEvent.objects.filter(action="read", actor_id=client.user.pk)
        assert [event.patient_ids for event in reads] == [[clinic.patient.pk]] * 2


def test_a_replayed_dry_run_shows_the_same_place(clinic: Any) -> None:
    client = client_for("front_desk", clinic.practice)
    first, again = (
        client.post(URL, body(clinic, dry_run=True), headers={"Idempotency-Key": "k"}).json() for _ in range(2)
    )
    assert first == again
