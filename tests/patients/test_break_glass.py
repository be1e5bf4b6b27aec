"""Into a restricted chart for an hour: who may, what it opens, that it ends, and that nobody does it unseen."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Appointment
from audit.models import AuditEvent
from integrations.models import EventLog, IdempotencyKey
from patients.models import AccessGrant, Patient
from patients.services.access_grants import AlreadyReviewed, review
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.clients import MemberClient, client_for, membership_of
from tests.factories.accounts import PASSWORD, ProviderProfileFactory
from tests.factories.patients import PatientFactory
from tests.integrations.conftest import sendgrid
from tests.integrations.counterparts.sendgrid import SendGridCounterpart
from tests.integrations.jobs import queued_notices, send_notices
from tests.patients.conftest import PATIENTS, SETUP
from tests.rows import make_row

__all__ = ["sendgrid"]  # a fixture

GRANTS = "/api/v1/access-grants"
BODY = {"reason": "Unconscious at the door", "password": PASSWORD}

pytestmark = pytest.mark.django_db


@pytest.fixture
def hidden(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Hidden", family_name="Person", restricted=True)


@pytest.fixture
def provider(practice: Practice) -> MemberClient:
    return client_for("provider", practice)


def grants_of(patient: Patient) -> str:
    return f"{PATIENTS}/{patient.pk}/access-grants"


def sees(client: MemberClient, patient: Patient) -> set[int]:
    """The chart itself, its contacts and the list: together or not at all."""
    listed = client.get(PATIENTS, {"search": "hidden", "total": "true"}).json()
    one, part = client.get(f"{PATIENTS}/{patient.pk}"), client.get(f"{PATIENTS}/{patient.pk}/contacts")
    assert listed["total"] == len(listed["results"])
    return {one.status_code, part.status_code, 200 if listed["results"] else 404}


def test_provider_is_let_in_for_an_hour_and_no_longer(
    hidden: Patient, provider: MemberClient, practice: Practice
) -> None:
    assert sees(provider, hidden) == {404}
    answer = provider.post(grants_of(hidden), BODY)
    assert answer.status_code == 201
    assert (answer.json()["user"]["id"], answer.json()["reason"]) == (str(provider.user.pk), BODY["reason"])
    assert sees(provider, hidden) == {200}
    assert sees(client_for("provider", practice), hidden) == {404}
    with practice_scope(practice, actor=SETUP):
        AccessGrant.objects.update(expires_at=timezone.now())
    assert sees(provider, hidden) == {404}


@pytest.mark.parametrize("role", ["owner", "admin", "assistant", "front_desk", "biller", "auditor"])
def test_other_roles_have_no_glass_to_break(hidden: Patient, practice: Practice, role: str) -> None:
    answer = client_for(role, practice).post(grants_of(hidden), BODY)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_who_sees_the_chart_needs_none(hidden: Patient, ada: Patient, provider: MemberClient) -> None:
    answer = provider.post(grants_of(ada), BODY)
    assert (answer.status_code, answer.json()["code"]) == (409, "access_not_needed")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**BODY, "password": "wrong"}, 403, "invalid_credentials"),
        ({**BODY, "reason": " "}, 400, "validation_error"),
        ({"reason": "Why"}, 400, "validation_error"),
        ({**BODY, "minutes": 600}, 400, "unknown_field"),
    ],
)
def test_nothing_is_opened_without_password_and_reason(
    hidden: Patient, provider: MemberClient, body: dict[str, Any], status: int, code: str
) -> None:
    answer = provider.post(grants_of(hidden), body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sees(provider, hidden) == {404}


def test_stranger_finds_neither_chart_nor_grant(
    hidden: Patient, provider: MemberClient, stranger: MemberClient
) -> None:
    grant = provider.post(grants_of(hidden), BODY).json()
    assert stranger.post(grants_of(hidden), BODY).status_code == 404
    assert stranger.get(GRANTS).json()["results"] == []
    assert stranger.post(f"{GRANTS}/{grant['id']}/review", {}).status_code == 404


def test_whoever_was_let_in_does_not_lift_the_restriction(hidden: Patient, provider: MemberClient) -> None:
    provider.post(grants_of(hidden), BODY)
    assert provider.patch(f"{PATIENTS}/{hidden.pk}", {"restricted": False}).status_code == 403
    assert provider.patch(f"{PATIENTS}/{hidden.pk}", {"pronouns": "they", "restricted": True}).status_code == 200


def test_provider_sees_the_restricted_patients_they_treat(
    hidden: Patient, provider: MemberClient, practice: Practice
) -> None:
    member = membership_of(provider.user, practice)
    with practice_scope(practice, actor=SETUP):
        profile = ProviderProfileFactory.create(membership=member)
        visit = make_row(Appointment, patient=hidden, provider=profile)
    assert sees(provider, hidden) == {200}
    assert provider.get(f"/api/v1/appointments/{visit.pk}").json()["patient"]["family_name"] == "Person"
    with practice_scope(practice, actor=SETUP):
        Appointment.objects.filter(pk=visit.pk).update(status="cancelled")
    assert sees(provider, hidden) == {404}


def test_grant_opens_the_name_on_the_visit_and_the_events(
    hidden: Patient, provider: MemberClient, practice: Practice
) -> None:
    with practice_scope(practice, actor=SETUP):
        visit = make_row(Appointment, patient=hidden)
        actor = Actor.user(provider.user.pk, ("provider",))
        assert EventLog.objects.heard_by(actor).filter(entity_id=hidden.pk).count() == 0
    url = f"/api/v1/appointments/{visit.pk}"
    assert provider.get(url).json()["patient"].get("family_name", "") == ""
    assert provider.get("/api/v1/appointments", {"patient": str(hidden.pk)}).json()["results"] == []
    provider.post(grants_of(hidden), BODY)
    assert provider.get(url).json()["patient"]["family_name"] == "Person"
    assert len(provider.get("/api/v1/appointments", {"patient": str(hidden.pk)}).json()["results"]) == 1
    with practice_scope(practice, actor=SETUP):
        assert EventLog.objects.heard_by(actor).filter(entity_id=hidden.pk).count() > 0


def test_every_use_is_marked_in_the_log(hidden: Patient, provider: MemberClient, practice: Practice) -> None:
    grant = provider.post(grants_of(hidden), BODY).json()
    provider.get(f"{PATIENTS}/{hidden.pk}")
    provider.patch(f"{PATIENTS}/{hidden.pk}", {"pronouns": "they"})
    client_for("owner", practice).get(f"{PATIENTS}/{hidden.pk}")
    with practice_scope(practice, actor=SETUP):
        events = AuditEvent.objects.about_patient(hidden.pk).order_by("at", "id")
        marked = [
            (each.action, each.entity) for each in events if [str(i) for i in each.access_grants] == [grant["id"]]
        ]
        assert {each.actor_id for each in events if each.access_grants} == {provider.user.pk}
    assert marked == [
        ("create", "patients.accessgrant"),
        ("read", "patients.patient"),
        ("update", "patients.patient"),
    ]
    shown = client_for("auditor", practice).get("/api/v1/audit-events", {"patient": str(hidden.pk)}).json()["results"]
    assert sum(each["access_grants"] == [grant["id"]] for each in shown) == 3


def test_owners_are_told_without_a_name(
    hidden: Patient, provider: MemberClient, practice: Practice, sendgrid: SendGridCounterpart
) -> None:
    owner = client_for("owner", practice)
    client_for("admin", practice)
    provider.post(grants_of(hidden), BODY)
    expected = {"notice": "access-granted", "practice_id": str(practice.pk), "user_id": str(owner.user.pk)}
    assert queued_notices() == [expected]
    send_notices()
    (mail,) = sendgrid.accepted
    text = mail["content"][0]["value"]
    assert mail["personalizations"][0]["to"] == [{"email": owner.user.email}]
    assert "Alder Clinic" in text
    assert "/admin/patients/accessgrant/" in text
    assert not any(each in text for each in ("Hidden", "Person", hidden.mrn, BODY["reason"]))


def test_queue_is_reviewed_once_and_by_somebody_else(
    hidden: Patient, practice: Practice, provider: MemberClient
) -> None:
    both = client_for(["auditor", "provider"], practice)
    own = both.post(grants_of(hidden), BODY).json()
    grant = provider.post(grants_of(hidden), BODY).json()
    assert {row["id"] for row in both.get(GRANTS, {"reviewed": "false"}).json()["results"]} == {own["id"], grant["id"]}
    assert both.post(f"{GRANTS}/{own['id']}/review", {}).status_code == 403
    assert client_for("admin", practice).post(f"{GRANTS}/{grant['id']}/review", {}).status_code == 403
    reviewed = both.post(f"{GRANTS}/{grant['id']}/review", {"note": "Spoke with them"})
    assert reviewed.json()["reviewed_by"]["id"] == str(both.user.pk)
    assert reviewed.json()["review_note"] == "Spoke with them"
    again = both.post(f"{GRANTS}/{grant['id']}/review", {})
    assert (again.status_code, again.json()["code"]) == (409, "already_reviewed")
    assert [row["id"] for row in both.get(GRANTS, {"reviewed": "true"}).json()["results"]] == [grant["id"]]
    assert [row["id"] for row in both.get(GRANTS, {"reviewed": "false"}).json()["results"]] == [own["id"]]
    assert provider.get(GRANTS).status_code == 403
    assert timezone.now() < datetime.fromisoformat(grant["expires_at"]) <= timezone.now() + timedelta(hours=1)


def test_second_of_two_reviewers_is_told_though_both_had_it_open(
    hidden: Patient, practice: Practice, provider: MemberClient
) -> None:
    provider.post(grants_of(hidden), BODY)
    auditor, owner = (Actor.user(client_for(role, practice).user.pk, (role,)) for role in ("auditor", "owner"))
    with practice_scope(practice, actor=SETUP):
        one, other = AccessGrant.objects.get(), AccessGrant.objects.get()
        review(grant=one, note="Spoke with them", by=auditor)
        with pytest.raises(AlreadyReviewed):
            review(grant=other, note="Nothing found", by=owner)
        assert AccessGrant.objects.get().reviewed_by_id == auditor.id


def test_nothing_is_kept_from_which_the_password_could_be_guessed(
    hidden: Patient, practice: Practice, provider: MemberClient
) -> None:
    for _ in range(2):
        assert provider.post(grants_of(hidden), BODY, headers={"Idempotency-Key": "k"}).status_code == 201
    with practice_scope(practice, actor=SETUP):
        assert IdempotencyKey.objects.count() == 0
        assert AccessGrant.objects.count() == 2


def test_log_names_the_chart_that_somebody_tried_to_see(
    hidden: Patient, practice: Practice, provider: MemberClient
) -> None:
    assert provider.get(f"{PATIENTS}/{hidden.pk}/allergies").status_code == 404
    with practice_scope(practice, actor=SETUP):
        event = AuditEvent.objects.get(action="denied")
    assert (event.entity, event.entity_id) == ("patients.patient", hidden.pk)
    assert event.operation == "GET patient-allergy-list"
