"""`/messages` and `/message-templates`, with a stranger from another practice."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.services import book
from integrations.models import Message, MessageTemplate
from patients.models import ContactPoint, Patient
from patients.signals import patient_data_read
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.appointments.conftest import SETUP, tomorrow_at
from tests.clients import client_for

pytestmark = pytest.mark.django_db
MESSAGES, TEMPLATES = "/api/v1/messages", "/api/v1/message-templates"
NEW_TEMPLATE = {"kind": "appointment-confirmation", "channel": "sms", "body": "{{ practice_name }}: see you."}


@pytest.fixture
def messages(clinic: Any, booking: Callable[..., Any]) -> list[Message]:
    """Two, one for each channel."""
    with practice_scope(clinic.practice, actor=SETUP):
        ContactPoint.objects.create(patient=clinic.patient, kind="email", value="ada@example.test")
        ContactPoint.objects.create(patient=clinic.patient, kind="phone", value="+12125550103")
        book(booking(), by=SETUP)
        return list(Message.objects.order_by("channel"))


def templates_of(practice: Practice) -> list[MessageTemplate]:
    with practice_scope(practice, actor=SETUP):
        return list(MessageTemplate.objects.all())


def test_message_tells_where_it_went_and_what_became_of_it(clinic: Any, messages: list[Message]) -> None:
    email = messages[0]
    response = client_for("front_desk", clinic.practice).get(f"{MESSAGES}/{email.pk}")
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {
        *("id", "kind", "channel", "to", "patient", "appointment", "status", "error_code", "vendor", "vendor_id"),
        *("sent_at", "created_at", "updated_at"),
    }
    assert (body["to"], body["status"], body["patient"]) == ("ada@example.test", "queued", str(clinic.patient.pk))


@pytest.mark.parametrize(
    ("query", "found"),
    [("", 2), ("?channel=sms", 1), ("?status__in=sent,failed", 0), ("?kind=appointment-cancelled", 0)],
)
def test_messages_are_filtered(clinic: Any, messages: list[Message], query: str, found: int) -> None:
    response = client_for("auditor", clinic.practice).get(f"{MESSAGES}{query}")
    assert len(response.json()["results"]) == found


def test_messages_list_costs_the_same_for_one_and_for_many(
    clinic: Any, messages: list[Message], booking: Callable[..., Any]
) -> None:
    client = client_for("owner", clinic.practice)
    client.get(MESSAGES)
    with CaptureQueriesContext(connection) as one:
        client.get(f"{MESSAGES}?page_size=1")
    with practice_scope(clinic.practice, actor=SETUP):
        for hour in (16, 17):
            book(booking(start=tomorrow_at(hour)), by=SETUP)
    with CaptureQueriesContext(connection) as six:
        assert len(client.get(MESSAGES).json()["results"]) == 6
    assert len(six) == len(one)


def test_messages_list_announces_whose_data_was_read(clinic: Any, messages: list[Message]) -> None:
    read: list[Any] = []

    def note(sender: object, patient_ids: Any, **kwargs: Any) -> None:
        read.extend(patient_ids)

    patient_data_read.connect(note)
    try:
        client_for("owner", clinic.practice).get(MESSAGES)
    finally:
        patient_data_read.disconnect(note)
    assert {str(patient_id) for patient_id in read} == {str(clinic.patient.pk)}


def test_messages_can_only_be_read(clinic: Any, messages: list[Message]) -> None:
    client = client_for("owner", clinic.practice)
    assert client.post(MESSAGES, {}).status_code == 405
    assert client.patch(f"{MESSAGES}/{messages[0].pk}", {}).status_code == 405
    assert client.delete(f"{MESSAGES}/{messages[0].pk}").status_code == 405


def test_messages_to_a_restricted_patient_are_hidden_from_the_front_desk(clinic: Any, messages: list[Message]) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        Patient.objects.filter(pk=clinic.patient.pk).update(restricted=True)
    client = client_for("front_desk", clinic.practice)
    assert client.get(MESSAGES).json()["results"] == []
    assert client.get(f"{MESSAGES}/{messages[0].pk}").status_code == 404


def test_stranger_finds_no_message_and_no_template(
    clinic: Any, messages: list[Message], other_practice: Practice
) -> None:
    stranger = client_for("owner", other_practice)
    template = templates_of(clinic.practice)[0]
    assert stranger.get(MESSAGES).json()["results"] == []
    assert stranger.get(f"{MESSAGES}/{messages[0].pk}").status_code == 404
    assert stranger.get(f"{MESSAGES}?patient={clinic.patient.pk}").json()["results"] == []
    assert stranger.get(TEMPLATES).json()["results"] == []
    assert stranger.patch(f"{TEMPLATES}/{template.pk}", {"active": False}).status_code == 404
    assert stranger.delete(f"{TEMPLATES}/{template.pk}").status_code == 404


def test_nobody_without_a_token_reads_anything(client: Any) -> None:
    assert client.get(MESSAGES).status_code == 401
    assert client.get(TEMPLATES).status_code == 401


def test_new_practice_has_templates(clinic: Any) -> None:
    response = client_for("provider", clinic.practice).get(TEMPLATES)
    assert len(response.json()["results"]) == 8


def test_template_is_created_changed_and_deleted(other_practice: Practice) -> None:
    client = client_for("admin", other_practice)
    created = client.post(TEMPLATES, NEW_TEMPLATE)
    assert created.status_code == 201, created.content
    url = f"{TEMPLATES}/{created.json()['id']}"
    changed = client.patch(url, {"body": "Bye"}, headers={"If-Match": created["ETag"]})
    assert (changed.status_code, changed.json()["body"], changed.json()["version"]) == (200, "Bye", 2)
    assert client.patch(url, {"body": "Late"}, headers={"If-Match": created["ETag"]}).status_code == 412
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"body": "{{ diagnosis }}"}, "/body", "unknown_placeholder"),
        ({"body": "{{ practice_name"}, "/body", "malformed_placeholder"),
        ({"body": ""}, "/body", "blank"),
        ({"body": "x" * 481}, "/body", "max_length"),
        ({"subject": "Hi"}, "/subject", "invalid"),
        ({"channel": "email"}, "/subject", "required"),
        ({"channel": "pigeon"}, "/channel", "invalid_choice"),
        ({"practice": "x"}, "/practice", "unknown_field"),
        ({"version": 7}, "/version", "unknown_field"),
    ],
)
def test_template_outside_the_rules_is_refused_at_its_field(
    other_practice: Practice, changes: dict[str, Any], pointer: str, code: str
) -> None:
    response = client_for("owner", other_practice).post(TEMPLATES, NEW_TEMPLATE | changes)
    assert response.status_code == 400
    assert (pointer, code) in {(error["pointer"], error["code"]) for error in response.json()["errors"]}, json.dumps(
        response.json()
    )


def test_second_template_for_a_kind_and_channel_is_refused(other_practice: Practice) -> None:
    client = client_for("owner", other_practice)
    assert client.post(TEMPLATES, NEW_TEMPLATE).status_code == 201
    assert client.post(TEMPLATES, NEW_TEMPLATE).status_code == 400


@pytest.mark.parametrize("role", ["provider", "assistant", "front_desk", "biller", "auditor"])
def test_templates_are_changed_by_owners_and_admins_only(other_practice: Practice, role: str) -> None:
    client = client_for(role, other_practice)
    assert client.get(TEMPLATES).status_code == 200
    assert client.post(TEMPLATES, NEW_TEMPLATE).status_code == 403
