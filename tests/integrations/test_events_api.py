import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.events import log, tickets
from integrations.models import WebSocketTicket
from patients.models import Patient
from practices.models import Practice, new_id
from practices.tenancy import Actor, practice_scope
from tests.appointments.conftest import calendar_of, tomorrow_at
from tests.clients import MemberClient, client_for, client_of
from tests.factories.accounts import MembershipFactory

BY = Actor.system("tests")
URL = "/api/v1/events"
TICKET_URL = "/api/v1/auth/websocket-ticket"


def log_events(practice: Practice, count: int, kind: str = "appointment") -> None:
    with practice_scope(practice, actor=BY):
        log.append(practice.pk, [log.Change(f"{kind}.updated", new_id(), 1) for _ in range(count)])


def ticket_of(client: MemberClient) -> str:
    response = client.post(TICKET_URL)
    assert response.status_code == 201, response.content
    ticket: str = response.json()["ticket"]
    return ticket


def test_events_after_a_number_in_order(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        patient = Patient.objects.create(given_name="Ada", family_name="Vale")
    log_events(practice, 2)
    client = client_for("front_desk", practice)
    everything = client.get(URL).json()
    first = everything["results"][0]
    assert list(first) == ["seq", "type", "id", "version", "at"]
    assert (first["seq"], first["type"], first["id"], first["version"]) == (1, "patient.created", str(patient.pk), 1)
    assert [event["seq"] for event in everything["results"]] == [1, 2, 3]
    assert [event["seq"] for event in client.get(URL, {"after": 1}).json()["results"]] == [2, 3]
    assert client.get(URL, {"after": 3}).json() == {"next": None, "previous": None, "results": []}


def test_events_in_pages(practice: Practice) -> None:
    log_events(practice, 5)
    client = client_for("provider", practice)
    page = client.get(URL, {"after": 1, "page_size": 3}).json()
    rest = client.get(page["next"]).json()
    assert [event["seq"] for event in page["results"] + rest["results"]] == [2, 3, 4, 5]
    assert rest["next"] is None


@pytest.mark.parametrize("rows", [1, 3])
def test_events_cost_the_same_for_any_number(practice: Practice, rows: int) -> None:
    log_events(practice, rows)
    client = client_for("front_desk", practice)
    client.get(URL)
    with CaptureQueriesContext(connection) as queries:
        client.get(URL)
    reads = [query["sql"] for query in queries if "integrations_eventlog" in query["sql"]]
    assert len(reads) == 1


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "9223372036854775808", "٣", "1" * 40, ""])
def test_events_after_what_is_no_number_are_refused(practice: Practice, after: str) -> None:
    response = client_for("provider", practice).get(URL, {"after": after})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/after"


def test_events_of_another_practice_are_not_listed(practice: Practice, other_practice: Practice) -> None:
    log_events(practice, 3)
    assert client_for("owner", other_practice).get(URL).json()["results"] == []


def test_events_without_a_token_are_refused(practice: Practice, client: MemberClient) -> None:
    assert client.get(URL).status_code == 401
    assert client.post(TICKET_URL).status_code == 401


def test_events_of_restricted_patients_are_for_those_who_see_them(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Patient.objects.create(given_name="Ada", family_name="Vale", restricted=True)
    assert len(client_for("admin", practice).get(URL).json()["results"]) == 1
    assert client_for("assistant", practice).get(URL).json()["results"] == []


def test_ticket_lets_in_once(practice: Practice) -> None:
    client = client_for("biller", practice)
    ticket = ticket_of(client)
    admission = tickets.redeem(ticket)
    assert admission == tickets.Admission(practice.pk, client.user.pk, client.login_session.pk, ("biller",))
    assert tickets.redeem(ticket) is None


def test_ticket_is_not_kept_as_such(practice: Practice) -> None:
    ticket = ticket_of(client_for("biller", practice))
    with practice_scope(practice, actor=BY):
        row = WebSocketTicket.objects.values().get()
    assert ticket not in str(row)


def test_ticket_too_old_lets_nobody_in_and_is_cleared_away(practice: Practice) -> None:
    client = client_for("biller", practice)
    ticket = ticket_of(client)
    with practice_scope(practice, actor=BY):
        WebSocketTicket.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tickets.redeem(ticket) is None
    ticket_of(client)
    with practice_scope(practice, actor=BY):
        assert WebSocketTicket.objects.count() == 1


def test_ticket_of_an_ended_session_lets_nobody_in(practice: Practice) -> None:
    client = client_for("biller", practice)
    ticket = ticket_of(client)
    with practice_scope(practice, actor=BY):
        client.login_session.revoked_at = timezone.now()
        client.login_session.save()
    assert tickets.redeem(ticket) is None


@pytest.mark.parametrize("ticket", ["", "x", "A" * 54, "é" * 54, "=" * 54, "A" * 5000, "\0" * 54])
def test_ticket_that_is_none_lets_nobody_in(practice: Practice, ticket: str) -> None:
    assert tickets.redeem(ticket) is None


def test_ticket_of_one_practice_opens_no_other(practice: Practice, other_practice: Practice) -> None:
    client = client_for("biller", practice)
    ticket = ticket_of(client)
    secret = base64.urlsafe_b64decode(ticket + "==")[16:]
    forged = base64.urlsafe_b64encode(other_practice.pk.bytes + secret).decode().rstrip("=")
    assert tickets.redeem(forged) is None
    assert tickets.redeem(ticket) is not None


@pytest.mark.django_db(transaction=True)
def test_ticket_presented_many_times_at_once_lets_one_in(practice: Practice) -> None:
    ticket = ticket_of(client_for("biller", practice))

    def redeem(_: int) -> bool:
        try:
            return tickets.redeem(ticket) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(redeem, range(16))) == 1


def test_ticket_says_which_practice_its_token_named(practice: Practice, other_practice: Practice) -> None:
    first = client_for("provider", practice)
    with practice_scope(other_practice, actor=BY):
        MembershipFactory.create(user=first.user, roles=["biller"])
    admission = tickets.redeem(ticket_of(client_of(first.user, other_practice)))
    assert admission is not None
    assert (admission.practice_id, admission.roles) == (other_practice.pk, ("biller",))


def test_what_the_api_changes_is_logged_and_what_it_refuses_is_not(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        calendar = calendar_of(practice)
    client = client_for("front_desk", practice)
    start = tomorrow_at(15)
    body = {
        "patient": str(calendar.patient.pk),
        "appointment_type": str(calendar.visit.pk),
        "provider": str(calendar.provider.pk),
        "location": str(calendar.location.pk),
        "start": start.isoformat(),
    }
    booked = client.post("/api/v1/appointments", body)
    assert booked.status_code == 201, booked.content
    assert client.post("/api/v1/appointments", body).status_code == 409
    url = f"/api/v1/appointments/{booked.json()['id']}"
    assert client.post(f"{url}/confirm", {}).status_code == 200
    created = client.post("/api/v1/patients", {"given_name": "Bo", "family_name": "Dale", "phone": "+15550100001"})
    assert created.status_code == 201, created.content
    after = client.get(URL, {"after": 1}).json()["results"]  # the first is the calendar's patient
    assert [(event["type"], event["id"], event["version"]) for event in after] == [
        ("appointment.created", booked.json()["id"], booked.json()["version"]),
        ("appointment.updated", booked.json()["id"], booked.json()["version"] + 1),
        ("patient.created", created.json()["id"], created.json()["version"]),
    ]
