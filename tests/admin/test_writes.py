"""What staff save goes through the services: the same refusals, the same events, the same audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from accounts.models import Membership, ProviderProfile
from appointments.models import Appointment, ResourceAllocation, StatusEvent
from audit.models import AuditEvent
from patients.models import ContactPoint, Patient, PatientIdentifier
from practices.models import CancellationReason, Location, Practice, PracticePolicy, Resource
from practices.services import create_practice
from practices.tenancy import practice_scope
from tests.admin.pages import AdminClient, filled, staff, url
from tests.appointments.conftest import calendar_of
from tests.clients import client_for, membership_of
from tests.rows import SETUP


@pytest.fixture
def clinic(db: None) -> Any:
    """A practice that books in UTC, with a provider, a location, a visit type and a patient."""
    practice = create_practice(by=SETUP, slug="cedar", name="Cedar", time_zone="America/New_York")
    with practice_scope(practice, actor=SETUP):
        parts = calendar_of(practice)
    parts.practice = practice
    return parts


@pytest.fixture
def desk(clinic: Any) -> AdminClient:
    return staff("front_desk", clinic.practice)


@pytest.fixture
def owner(clinic: Any) -> AdminClient:
    return staff("owner", clinic.practice)


def events(client: AdminClient, practice: Practice, **filters: Any) -> list[AuditEvent]:
    with practice_scope(practice, actor=SETUP):
        return list(AuditEvent.objects.filter(actor_id=client.user.pk, **filters).order_by("at", "id"))


def only(practice: Practice, model: Any, **filters: Any) -> Any:
    with practice_scope(practice, actor=SETUP):
        return model.objects.get(**filters)


def wish(clinic: Any, hour: str = "10:00", **more: Any) -> dict[str, Any]:
    day = (timezone.now() + timedelta(days=3)).date().isoformat()
    asked = {
        "patient": clinic.patient.pk,
        "appointment_type": clinic.visit.pk,
        "provider": clinic.provider.pk,
        "location": clinic.location.pk,
        "start_0": day,
        "start_1": hour,
        "notes": "",
    }
    return {**asked, **more}


def book(client: AdminClient, clinic: Any, hour: str = "10:00", **more: Any) -> Any:
    return client.post(url(Appointment, "add"), wish(clinic, hour, **more))


def do(client: AdminClient, visit: Appointment, action: str, **answers: Any) -> Any:
    return client.post(url(Appointment, "do", visit.pk, action), answers)


def shown_errors(response: Any) -> str:
    form = response.context["adminform"].form
    return " ".join(str(each) for errors in form.errors.values() for each in errors)


# --- Patients -------------------------------------------------------------------------------------


def test_new_patient_has_contact_points_and_an_event(desk: AdminClient, clinic: Any) -> None:
    body = {
        "given_name": "Grace",
        "family_name": "Hopper",
        "birth_date": "1906-12-09",
        "birth_date_precision": "day",
        "sex": "female",
        "phone": "(202) 555-0143",
        "email": "Grace@Example.test",
    }
    response = desk.post(url(Patient, "add"), body)
    assert response.status_code == 302, shown_errors(response)
    patient = only(clinic.practice, Patient, family_name="Hopper")
    with practice_scope(clinic.practice, actor=SETUP):
        assert sorted(each.value for each in patient.contacts.all()) == ["+12025550143", "grace@example.test"]
    (event,) = events(desk, clinic.practice, action="create", entity="patients.patient")
    assert (event.entity_id, event.roles, event.actor_label) == (patient.pk, ["front_desk"], str(desk.user))
    assert event.operation == "POST admin:patients_patient_add"


def test_likely_duplicate_is_shown_and_can_be_explained(desk: AdminClient, clinic: Any) -> None:
    body = {
        "given_name": "Grace",
        "family_name": "Hopper",
        "birth_date": "1906-12-09",
        "birth_date_precision": "day",
        "sex": "female",
    }
    assert desk.post(url(Patient, "add"), body).status_code == 302
    first = only(clinic.practice, Patient, family_name="Hopper")
    refused = desk.post(url(Patient, "add"), body)
    assert refused.status_code == 409
    assert url(Patient, "change", first.pk) in refused.content.decode()
    assert refused.context["adminform"].form["given_name"].value() == "Grace"
    assert desk.post(url(Patient, "add"), {**body, "force_reason": "Her twin"}).status_code == 302
    with practice_scope(clinic.practice, actor=SETUP):
        assert Patient.objects.filter(family_name="Hopper").count() == 2


def test_chart_is_edited_with_its_parts(desk: AdminClient, clinic: Any) -> None:
    address = url(Patient, "change", clinic.patient.pk)
    page = desk.get(address)
    body = filled(
        page,
        preferred_name="Addie",
        **{
            "contacts-TOTAL_FORMS": 1,
            "contacts-0-kind": "phone",
            "contacts-0-value": "202 555 0177",
            "contacts-0-use": "home",
            "contacts-0-rank": 1,
            "identifiers-TOTAL_FORMS": 1,
            "identifiers-0-type": "SS",
            "identifiers-0-value": "123-45-6789",
        },
    )
    response = desk.post(address, body)
    assert response.status_code == 302, shown_errors(response)
    assert only(clinic.practice, Patient, pk=clinic.patient.pk).preferred_name == "Addie"
    contact = only(clinic.practice, ContactPoint)
    with practice_scope(clinic.practice, actor=SETUP):
        assert (contact.value, PatientIdentifier.objects.get().value) == ("+12025550177", "123-45-6789")
    page = desk.get(address)
    assert "+12025550177" in page.content.decode()
    assert desk.post(address, filled(page, **{"contacts-0-value": "no number"})).status_code == 200
    assert desk.post(address, filled(page, **{"contacts-0-DELETE": "on"})).status_code == 302
    with practice_scope(clinic.practice, actor=SETUP):
        assert not ContactPoint.objects.exists()
    (change,) = events(desk, clinic.practice, action="update", entity="patients.patient")
    assert change.changes == {"preferred_name": None}


def test_archiving_and_bringing_back(desk: AdminClient, clinic: Any) -> None:
    for action, status in (("archive", "archived"), ("unarchive", "active")):
        assert desk.post(url(Patient, "do", clinic.patient.pk, action)).status_code == 302
        assert only(clinic.practice, Patient, pk=clinic.patient.pk).status == status
    again = desk.post(url(Patient, "do", clinic.patient.pk, "unarchive"), follow=True)
    assert "somebody may have been faster" in again.content.decode()
    assert [event.status for event in events(desk, clinic.practice, action="failed")] == [409]


def test_reading_charts_is_recorded_once_a_page(desk: AdminClient, clinic: Any) -> None:
    query = {"app_label": "appointments", "model_name": "appointment", "field_name": "patient", "term": "va"}
    for address, parameters in (
        (url(Patient, "changelist"), {}),
        (url(Patient, "change", clinic.patient.pk), {}),
        ("/admin/autocomplete/", query),
    ):
        before = len(events(desk, clinic.practice, action="read"))
        assert desk.get(address, parameters).status_code == 200
        reads = events(desk, clinic.practice, action="read")[before:]
        assert [event.patient_ids for event in reads] == [[clinic.patient.pk]], address


# --- Two people at once -----------------------------------------------------------------------------


def test_somebody_elses_edit_is_told_and_nothing_is_lost(desk: AdminClient, owner: AdminClient, clinic: Any) -> None:
    address = url(Patient, "change", clinic.patient.pk)
    stale, fresh = desk.get(address), owner.get(address)
    assert owner.post(address, filled(fresh, preferred_name="Theirs")).status_code == 302
    refused = desk.post(address, filled(stale, preferred_name="Mine"))
    assert refused.status_code == 200
    assert "Somebody else saved this" in shown_errors(refused)
    assert "Stored now: Theirs" in shown_errors(refused)
    assert refused.context["adminform"].form["preferred_name"].value() == "Mine"
    assert only(clinic.practice, Patient, pk=clinic.patient.pk).preferred_name == "Theirs"
    assert desk.post(address, filled(refused)).status_code == 302
    assert only(clinic.practice, Patient, pk=clinic.patient.pk).preferred_name == "Mine"


def test_form_without_a_version_is_not_saved(desk: AdminClient, clinic: Any) -> None:
    address = url(Patient, "change", clinic.patient.pk)
    assert desk.post(address, filled(desk.get(address), seen_version=None)).status_code == 200


# --- Visits -----------------------------------------------------------------------------------------


def test_booking_is_on_the_locations_clock(desk: AdminClient, clinic: Any) -> None:
    response = book(desk, clinic, notes="Bring the letter")
    assert response.status_code == 302, shown_errors(response)
    visit = only(clinic.practice, Appointment)
    with practice_scope(clinic.practice, actor=SETUP):
        assert visit.notes == "Bring the letter"
        assert visit.allocations.filter(blocking=True).count() == 1
        assert StatusEvent.objects.get().by_id == desk.user.pk
    assert (str(visit)[-5:], visit.status, visit.time_zone) == ("10:00", "booked", "America/New_York")
    created = events(desk, clinic.practice, action="create", entity="appointments.appointment")
    assert [event.entity_id for event in created] == [visit.pk]
    page = desk.get(url(Appointment, "change", visit.pk)).content.decode()
    assert "Bring the letter" in page


def test_double_booking_is_refused_in_the_form(desk: AdminClient, clinic: Any) -> None:
    assert book(desk, clinic).status_code == 302
    refused = book(desk, clinic, "10:15", notes="keep me")
    assert refused.status_code == 409
    assert "Something else is booked at this time" in shown_errors(refused)
    form = refused.context["adminform"].form
    assert (form["notes"].value(), form["patient"].value()) == ("keep me", str(clinic.patient.pk))
    with practice_scope(clinic.practice, actor=SETUP):
        assert (Appointment.objects.count(), ResourceAllocation.objects.count()) == (1, 1)
    assert [event.status for event in events(desk, clinic.practice, action="failed")] == [409]


def test_refused_field_carries_its_reason(desk: AdminClient, clinic: Any) -> None:
    refused = book(desk, clinic, start_0="2020-01-01")
    assert refused.status_code == 400
    assert refused.context["adminform"].form.errors["start"] == ["Only some roles may book a time that has passed."]
    assert "overbook_reason" not in refused.context["adminform"].form.fields


def test_form_edits_notes_and_flow_stage_only(desk: AdminClient, clinic: Any) -> None:
    book(desk, clinic)
    visit = only(clinic.practice, Appointment)
    address = url(Appointment, "change", visit.pk)
    body = filled(desk.get(address), notes="New", flow_stage="waiting", status="cancelled", start_0="2020-01-01")
    assert desk.post(address, body).status_code == 302
    edited = only(clinic.practice, Appointment, pk=visit.pk)
    with practice_scope(clinic.practice, actor=SETUP):
        assert (edited.notes, edited.flow_stage, edited.status) == ("New", "waiting", "booked")
    assert edited.start == visit.start


def test_visit_goes_its_way_by_buttons(desk: AdminClient, owner: AdminClient, clinic: Any) -> None:
    book(desk, clinic)
    visit = only(clinic.practice, Appointment)
    for action, status in (("arrive", "arrived"), ("check-in", "checked-in"), ("fulfill", "fulfilled")):
        page = desk.get(url(Appointment, "change", visit.pk))
        asking = {each["action"].name: each["asks"] for each in page.context["row_actions"]}
        assert asking[action] is False
        assert asking["cancel"] is True
        assert do(desk, visit, action).status_code == 302
        assert only(clinic.practice, Appointment).status == status
    assert do(desk, visit, "undo").headers["Location"] == url(Appointment, "change", visit.pk)
    assert only(clinic.practice, Appointment).status == "fulfilled", "undoing is the owner's"
    assert do(owner, visit, "undo").status_code == 302
    assert only(clinic.practice, Appointment).status == "checked-in"
    with practice_scope(clinic.practice, actor=SETUP):
        actions = list(StatusEvent.objects.order_by("at").values_list("action", flat=True))
    assert actions == ["book", "arrive", "check-in", "fulfill", "undo"]


def test_actions_do_nothing_when_only_looked_at(desk: AdminClient, clinic: Any) -> None:
    book(desk, clinic)
    visit = only(clinic.practice, Appointment)
    for action in ("arrive", "cancel", "reschedule", "check-in"):
        assert desk.get(url(Appointment, "do", visit.pk, action)).status_code in {200, 302}
    assert only(clinic.practice, Appointment).status == "booked"


def test_cancelling_asks_for_the_reason_that_the_practice_wants(desk: AdminClient, clinic: Any) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        PracticePolicy.objects.update(require_cancel_reason=True)
    book(desk, clinic)
    visit = only(clinic.practice, Appointment)
    refused = do(desk, visit, "cancel", note="ill")
    assert refused.status_code == 400
    assert refused.context["form"].errors["cancellation_reason"] == ["This practice wants to know why."]
    reason = only(clinic.practice, CancellationReason, code="patient-request")
    assert do(desk, visit, "cancel", note="ill", cancellation_reason=reason.pk).status_code == 302
    assert only(clinic.practice, Appointment).status == "cancelled"
    assert book(desk, clinic).status_code == 302, "the time is free again"


def test_rescheduling_keeps_the_old_time_when_refused(desk: AdminClient, clinic: Any) -> None:
    book(desk, clinic)
    book(desk, clinic, "14:00")
    with practice_scope(clinic.practice, actor=SETUP):
        visit, other = Appointment.objects.order_by("start")
    place = {"provider": clinic.provider.pk, "location": clinic.location.pk, "start_0": wish(clinic)["start_0"]}
    refused = do(desk, visit, "reschedule", **place, start_1="14:10")
    assert (refused.status_code, "Something else is booked" in refused.content.decode()) == (409, True)
    assert only(clinic.practice, Appointment, pk=visit.pk).start == visit.start
    assert do(desk, visit, "reschedule", **place, start_1="16:00").status_code == 302
    assert only(clinic.practice, Appointment, pk=visit.pk).start.astimezone(UTC) > other.start


# --- Settings and team --------------------------------------------------------------------------------


def test_taken_name_is_an_error_of_its_field(owner: AdminClient, clinic: Any) -> None:
    response = owner.post(url(Location, "add"), {"name": clinic.location.name, "active": "on"})
    assert response.status_code == 200
    assert response.context["adminform"].form.errors["name"] == ["Another object already uses this value."]


def test_location_in_use_is_not_deleted_and_others_are(owner: AdminClient, clinic: Any) -> None:
    book(owner, clinic)
    page = owner.get(url(Location, "delete", clinic.location.pk)).content.decode()
    assert "Make it inactive instead" in page
    owner.post(url(Location, "delete", clinic.location.pk), {"post": "yes"})
    assert only(clinic.practice, Location).pk == clinic.location.pk
    owner.post(url(Location, "add"), {"name": "Annex", "active": "on"})
    annex = only(clinic.practice, Location, name="Annex")
    assert owner.post(url(Location, "delete", annex.pk), {"post": "yes"}).status_code == 302
    (gone,) = events(owner, clinic.practice, action="delete")
    assert gone.entity_id == annex.pk


def test_member_gets_roles_and_the_last_owner_stays(owner: AdminClient, clinic: Any) -> None:
    member = membership_of(client_for("assistant", clinic.practice).user, clinic.practice)
    address = url(Membership, "change", member.pk)
    assert owner.post(address, filled(owner.get(address), roles=["biller", "auditor"])).status_code == 302
    assert only(clinic.practice, Membership, pk=member.pk).roles == ["biller", "auditor"]
    me = membership_of(owner.user, clinic.practice)
    mine = url(Membership, "change", me.pk)
    refused = owner.post(mine, filled(owner.get(mine), roles=["admin"]))
    assert (refused.status_code, "at least one active owner" in shown_errors(refused)) == (409, True)
    admin = staff("admin", clinic.practice)
    assert admin.post(mine, filled(admin.get(mine), roles=["admin"])).status_code == 403
    assert only(clinic.practice, Membership, pk=me.pk).roles == ["owner"]


def test_suspending_a_member(owner: AdminClient, clinic: Any) -> None:
    client = staff("assistant", clinic.practice)
    member = membership_of(client.user, clinic.practice)
    assert owner.post(url(Membership, "do", member.pk, "suspend")).status_code == 302
    assert client.get("/admin/patients/patient/").status_code == 302
    assert owner.post(url(Membership, "do", member.pk, "reactivate")).status_code == 302
    me = membership_of(owner.user, clinic.practice)
    answer = owner.post(url(Membership, "do", me.pk, "suspend"), follow=True)
    assert "at least one active owner" in answer.content.decode()


def test_provider_comes_with_a_calendar(owner: AdminClient, clinic: Any) -> None:
    member = membership_of(client_for("provider", clinic.practice).user, clinic.practice)
    body = {"membership": member.pk, "display_name": "Dr New", "accepts_new": "on", "active": "on"}
    response = owner.post(url(ProviderProfile, "add"), body)
    assert response.status_code == 302, shown_errors(response)
    profile = only(clinic.practice, ProviderProfile, membership=member)
    address = url(ProviderProfile, "change", profile.pk)
    assert owner.post(address, filled(owner.get(address), display_name="Dr Newer")).status_code == 302
    assert only(clinic.practice, Resource, provider=profile).name == "Dr Newer"
    assert owner.post(url(ProviderProfile, "delete", profile.pk), {"post": "yes"}).status_code in {200, 302}


def test_history_is_the_audit_log_of_the_row(owner: AdminClient, clinic: Any) -> None:
    book(owner, clinic)
    visit = only(clinic.practice, Appointment)
    shown = owner.get(url(Appointment, "history", visit.pk), follow=True).context["cl"]
    assert {event.entity_id for event in shown.result_list} == {UUID(str(visit.pk))}
    assert shown.result_count >= 1


def test_overbooking_is_the_owners(owner: AdminClient, clinic: Any) -> None:
    book(owner, clinic)
    assert book(owner, clinic, overbook_reason="Emergency").status_code == 302
    past = datetime.now(UTC).date() - timedelta(days=2)
    assert book(owner, clinic, start_0=past.isoformat()).status_code == 302
