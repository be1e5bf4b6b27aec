"""What requests leave behind: refused ones, logins, reads of the log itself."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import User
from audit.models import AuditEvent, PlatformAuditEvent
from patients.models import Patient
from practices.models import Location, Practice
from practices.tenancy import Actor, platform_scope, practice_scope
from tests.admin.pages import staff
from tests.clients import MemberClient, client_for, client_of
from tests.factories.accounts import PASSWORD, MembershipFactory, UserFactory
from tests.integrations.jobs import record_login_failures
from tests.rows import make_row

EVENTS = "/api/v1/audit-events"
TOKEN = "/api/v1/auth/token"
SETUP = Actor.system("tests")


def of(client: MemberClient, practice: Practice, **filters: Any) -> list[AuditEvent]:
    with practice_scope(practice, actor=SETUP):
        return list(AuditEvent.objects.filter(actor_id=client.user.pk, **filters).order_by("at", "id"))


def listed(client: APIClient, **query: Any) -> list[dict[str, Any]]:
    response = client.get(EVENTS, query)
    assert response.status_code == 200, response.content
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def test_denied_request_survives_its_rollback(practice: Practice) -> None:
    client = client_for("front_desk", practice)
    assert client.get(EVENTS, headers={"X-Request-ID": "r-77"}).status_code == 403
    (event,) = of(client, practice)
    assert (event.action, event.status, event.entity) == ("denied", 403, "audit.auditevent")
    assert (event.operation, event.request_id, event.roles) == ("GET audit-event-list", "r-77", ["front_desk"])
    assert event.actor_label == str(client.user)


def test_unknown_and_foreign_ids_are_denied_alike(practice: Practice, other_practice: Practice) -> None:
    client, stranger = client_for("owner", practice), client_for("owner", other_practice)
    assert listed(stranger)
    with practice_scope(other_practice, actor=SETUP):
        foreign = AuditEvent.objects.values_list("pk", flat=True).first()
    for pk in (foreign, uuid4()):
        assert client.get(f"{EVENTS}/{pk}").status_code == 404
    denied = of(client, practice, action="denied")
    assert [(event.status, event.entity_id is not None) for event in denied] == [(404, True), (404, True)]


def test_values_of_a_restricted_patient_are_for_those_who_see_the_chart(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        patient = make_row(Patient, given_name="Ada", family_name="Hidden", sex="female")
    query = {"entity_id": str(patient.pk), "action": "create"}
    auditor, owner = client_for("auditor", practice), client_for("owner", practice)
    (ordinary,) = listed(auditor, **query)
    assert ordinary["changes"]["sex"] == [None, "female"]
    with practice_scope(practice, actor=SETUP):
        Patient.objects.update(restricted=True)
    (known,), (unknown,) = listed(owner, **query), listed(auditor, **query)
    assert known["changes"] == ordinary["changes"]
    assert unknown == {**known, "changes": dict.fromkeys(known["changes"])}
    assert auditor.get(f"{EVENTS}/{known['id']}").json() == unknown
    for role, knows in (("auditor", False), ("owner", True)):
        page = staff(role, practice).get(f"/admin/audit/auditevent/{known['id']}/change/")
        assert (page.status_code, "<td>female</td>" in page.content.decode()) == (200, knows)


def test_failed_change_leaves_an_event_of_its_own(practice: Practice) -> None:
    client = client_for("owner", practice)
    other = UserFactory.create()
    assert client.post(EVENTS, {}).status_code == 405
    assert client.get("/api/v1/no-such-path").status_code == 404
    assert [(event.action, event.status) for event in of(client, practice)] == [("denied", 404)]
    assert other.pk


def test_hammering_leaves_one_event_of_its_refusal(practice: Practice, settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = True
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "user": "2/h"}
    client = client_for("owner", practice)
    answers = [client.get("/api/v1/practice").status_code for _ in range(5)]
    assert answers == [200, 200, 429, 429, 429]
    assert [event.status for event in of(client, practice, action="failed")] == [429]


def test_token_opens_nothing_outside_the_api(practice: Practice) -> None:
    """Or it would fill the log, unlimited, even when its user has been removed."""
    client = client_for("owner", practice)
    assert client.get("/no-such-page").status_code == 404
    assert of(client, practice) == []


def test_member_who_was_removed_is_denied(practice: Practice) -> None:
    client = client_for("owner", practice)
    with platform_scope(actor=SETUP):
        User.objects.filter(pk=client.user.pk).update(is_active=False)
    assert client.get(EVENTS).status_code == 401
    assert [(event.action, event.status) for event in of(client, practice)] == [("denied", 401)]


@pytest.mark.django_db(transaction=True)
def test_token_of_a_practice_that_is_gone_is_answered_and_kept(practice: Practice) -> None:
    """As after the database was put back to an older state."""
    session = client_for("owner", practice).login_session
    session.practice_id = gone = uuid4()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access_token(session)}")
    assert client.get(EVENTS).status_code == 401
    with platform_scope(actor=SETUP):
        (event,) = PlatformAuditEvent.objects.filter(action="denied")
        assert (event.actor_id, event.practice_id) == (session.user_id, gone)


def test_login_and_logout(practice: Practice) -> None:
    user = UserFactory.create()
    with practice_scope(practice, actor=SETUP):
        MembershipFactory.create(user=user, roles=["biller"])
    body = {"grant_type": "password", "username": user.email, "password": PASSWORD}
    refresh = APIClient().post(TOKEN, body, format="json").json()["refresh_token"]
    assert APIClient().post("/api/v1/auth/logout", {"refresh_token": refresh}).status_code == 204
    with practice_scope(practice, actor=SETUP):
        found = AuditEvent.objects.filter(actor_id=user.pk).order_by("at", "id")
        assert [(event.action, event.entity, event.entity_id) for event in found] == [
            ("login", "accounts.user", user.pk),
            ("logout", "accounts.user", user.pk),
        ]


def test_failed_login_of_a_member_shows_in_the_practice(practice: Practice, other_practice: Practice) -> None:
    user = UserFactory.create()
    with practice_scope(practice, actor=SETUP):
        MembershipFactory.create(user=user)
    body = {"grant_type": "password", "username": user.email, "password": "wrong"}
    headers = {"X-Request-ID": "try-1"}
    assert APIClient().post(TOKEN, body, format="json", headers=headers).status_code == 401
    with platform_scope(actor=SETUP):
        seen = PlatformAuditEvent.objects.get(action="login-failed")
    record_login_failures()
    with practice_scope(practice, actor=SETUP):
        (event,) = AuditEvent.objects.filter(action="login-failed")
        assert (event.actor_kind, event.entity_id, event.status) == ("anonymous", user.pk, 401)
        assert (event.at, event.ip, event.request_id) == (seen.at, "127.0.0.1", "try-1")
        assert (event.reason, event.operation) == ("invalid_credentials", "POST auth-token")
        assert user.email not in event.actor_label
    with practice_scope(other_practice, actor=SETUP):
        assert not AuditEvent.objects.filter(action="login-failed").exists()


def test_admin_login_and_logout_show_in_the_member_s_practices(practice: Practice, other_practice: Practice) -> None:
    user = UserFactory.create()
    with practice_scope(practice, actor=SETUP):
        MembershipFactory.create(user=user)
    browser = Client()
    browser.force_login(user)
    browser.logout()
    with practice_scope(practice, actor=SETUP):
        found = AuditEvent.objects.filter(actor_id=user.pk).order_by("at", "id")
        assert [(event.action, event.entity_id) for event in found] == [("login", user.pk), ("logout", user.pk)]
    with practice_scope(other_practice, actor=SETUP):
        assert not AuditEvent.objects.filter(actor_id=user.pk).exists()
    with platform_scope(actor=SETUP):
        assert PlatformAuditEvent.objects.filter(actor_id=user.pk).count() == 2


def test_login_that_renews_the_password_s_hash_is_the_user_s_own_act(practice: Practice) -> None:
    class Weaker(Argon2PasswordHasher):
        time_cost = 1

    user = UserFactory.create(password=Weaker().encode(PASSWORD, "some-salt"))
    with practice_scope(practice, actor=SETUP):
        MembershipFactory.create(user=user)
    body = {"grant_type": "password", "username": user.email, "password": PASSWORD}
    assert APIClient().post(TOKEN, body, format="json").status_code == 200
    with platform_scope(actor=SETUP):
        (event,) = PlatformAuditEvent.objects.filter(actor_id=user.pk)
        assert (event.action, event.entity_id, event.changes) == ("update", user.pk, {"password": None})


@pytest.mark.django_db
def test_failed_login_of_nobody_is_in_the_platform_log() -> None:
    body = {"grant_type": "password", "username": "nobody@example.test", "password": "wrong"}
    assert APIClient().post(TOKEN, body, format="json").status_code == 401
    record_login_failures()
    with platform_scope(actor=SETUP):
        (event,) = PlatformAuditEvent.objects.filter(action="login-failed")
        assert (event.entity_id, event.practice_id, event.actor_id) == (None, None, None)


def test_reading_the_log_is_in_the_log(practice: Practice) -> None:
    client = client_for("auditor", practice)
    listed(client)
    newest = listed(client)[0]
    assert (newest["action"], newest["entity"], newest["operation"]) == (
        "read",
        "audit.auditevent",
        "GET audit-event-list",
    )
    assert newest["actor"] == {
        "kind": "user",
        "id": str(client.user.pk),
        "label": str(client.user),
        "roles": ["auditor"],
    }


def test_reading_the_log_names_the_patients_whose_changes_it_shows(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        patient = Patient.objects.create(given_name="Ada", family_name="Vale")
    reader = client_for("auditor", practice)
    assert listed(reader, entity="patients.patient")
    (event,) = of(reader, practice)
    assert (event.action, event.entity, event.patient_ids) == ("read", "audit.auditevent", [patient.pk])


def test_filters(practice: Practice) -> None:
    client = client_for("owner", practice)
    with practice_scope(practice, actor=Actor.user(client.user.pk)):
        patient = Patient.objects.create(given_name="Ada", family_name="Ashby")
        location = Location.objects.create(name="Main")
        Location.objects.filter(pk=location.pk).update(name="Annex")
    events = listed(client)
    assert [event["at"] for event in events] == sorted((event["at"] for event in events), reverse=True)
    assert [event["patients"] for event in listed(client, patient=patient.pk, action="create")] == [[str(patient.pk)]]
    assert listed(client, patient=uuid4()) == []
    assert {event["action"] for event in listed(client, action="update")} == {"update"}
    assert {event["entity_id"] for event in listed(client, entity="practices.location")} == {str(location.pk)}
    assert len(listed(client, entity_id=location.pk)) == 2
    assert listed(client, actor=uuid4()) == []
    middle = listed(client, entity_id=location.pk)[0]["at"]
    assert [event["action"] for event in listed(client, **{"from": middle}, entity_id=location.pk)] == ["update"]
    assert [event["action"] for event in listed(client, to=middle, entity_id=location.pk)] == ["create"]
    for query in ({"action": "shrug"}, {"patient": "x"}, {"from": "yesterday"}, {"nobody": "1"}):
        assert client.get(EVENTS, query).status_code == 400


def test_pages_follow_each_other(practice: Practice) -> None:
    client = client_for("owner", practice)
    with practice_scope(practice, actor=SETUP):
        Location.objects.bulk_create([Location(name=f"L{number}") for number in range(5)])
    seen: list[str] = []
    url: str | None = f"{EVENTS}?entity=practices.location&page_size=2"
    while url:
        page = client.get(url).json()
        seen += [event["id"] for event in page["results"]]
        url = page["next"]
    assert len(set(seen)) == len(seen) == 5


def test_stranger_sees_nothing(practice: Practice, other_practice: Practice) -> None:
    client, stranger = client_for("owner", practice), client_for("owner", other_practice)
    with practice_scope(practice, actor=Actor.user(client.user.pk)):
        patient = Patient.objects.create(given_name="Ada", family_name="Ashby")
    for query in ({"patient": patient.pk}, {"actor": client.user.pk}, {"entity": "patients.patient"}):
        assert listed(client, **query)
        assert listed(stranger, **query) == []


def test_log_of_a_member_of_both_is_the_token_s_practice(practice: Practice, other_practice: Practice) -> None:
    user = UserFactory.create()
    for each in (practice, other_practice):
        with practice_scope(each, actor=SETUP):
            MembershipFactory.create(user=user, roles=["auditor"])
    listed(client_of(user, practice))
    assert listed(client_of(user, other_practice), actor=user.pk) == []


@pytest.mark.parametrize("role", ["provider", "assistant", "front_desk", "biller"])
def test_roles_without_the_area_are_refused(practice: Practice, role: str) -> None:
    assert client_for(role, practice).get(EVENTS).status_code == 403
