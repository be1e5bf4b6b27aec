"""Two at the same moment: one wins, the other is told so, and nothing is a server error."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from patients.duplicates import queue_up_for_all
from patients.models import ContactPoint, Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import PatientFactory
from tests.patients.conftest import PATIENTS, SETUP

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*attempts: Callable[[], Any]) -> list[Any]:
    together, answers = threading.Barrier(len(attempts)), list[Any]()

    def run(attempt: Callable[[], Any]) -> None:
        try:
            together.wait()
            answers.append(attempt())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answers, key=lambda answer: answer.status_code)


def creating(practice: Practice, **person: str) -> Callable[[], Any]:
    member: MemberClient = client_for("front_desk", practice)
    return lambda: member.post(PATIENTS, person)


def test_one_mrn_goes_to_one_patient(practice: Practice) -> None:
    people = [creating(practice, given_name=f"Ada{n}", family_name="Byron", mrn="M-1") for n in range(4)]
    answers = at_once(*people)
    assert answers[0].status_code == 201
    assert {answer.status_code for answer in answers[1:]} <= {400, 409}
    with practice_scope(practice, actor=SETUP):
        assert Patient.objects.count() == 1


def test_number_that_an_import_is_writing_ends_neither(practice: Practice) -> None:
    answers: list[Any] = []
    one = creating(practice, given_name="Ada", family_name="Byron", mrn="M-1")
    creator = threading.Thread(target=lambda: answers.extend(at_once(one)))
    with practice_scope(practice, actor=SETUP):  # as an import of all or nothing does
        Patient.objects.create(given_name="Bo", family_name="Ek", mrn="M-1")
        creator.start()
        wait_until_somebody_waits()
        queue_up_for_all()
    creator.join()
    assert [answer.status_code for answer in answers] == [400]
    assert [(each["pointer"], each["code"]) for each in answers[0].json()["errors"]] == [("/mrn", "busy")]
    with practice_scope(practice, actor=SETUP):
        assert Patient.objects.get().given_name == "Bo"


def wait_until_somebody_waits() -> None:
    """For the transaction that this one is."""
    question = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid)"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(question)
            if cursor.fetchone() == (True,):
                return
        time.sleep(0.01)
    raise TimeoutError


def test_the_same_person_is_created_once(practice: Practice) -> None:
    person = {"given_name": "Ada", "family_name": "Byron", "birth_date": "1815-12-10"}
    answers = at_once(*(creating(practice, **person) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [201, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers[1:]} == {"possible_duplicate"}


def test_changes_with_the_same_version_succeed_once(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        patient = PatientFactory.create()
    members = [client_for("front_desk", practice) for _ in range(4)]

    def changing(member: MemberClient) -> Callable[[], Any]:
        path = f"{PATIENTS}/{patient.pk}"
        return lambda: member.patch(path, {"pronouns": "she"}, headers={"If-Match": '"1"'})

    answers = at_once(*(changing(member) for member in members))
    assert [answer.status_code for answer in answers] == [200, 412, 412, 412]


def test_nothing_that_is_added_during_a_merge_is_lost(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        survivor, source = PatientFactory.create(), PatientFactory.create()
    owner, members = client_for("owner", practice), [client_for("front_desk", practice) for _ in range(4)]

    def adding(member: MemberClient, number: int) -> Callable[[], Any]:
        contact = {"kind": "email", "value": f"{number}@b.test"}
        return lambda: member.post(f"{PATIENTS}/{source.pk}/contacts", contact)

    def merging() -> Any:
        return owner.post(f"{PATIENTS}/{survivor.pk}/merge", {"source": str(source.pk), "reason": "Same"})

    answers = at_once(merging, *(adding(member, number) for number, member in enumerate(members)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    added = {answer.json()["id"] for answer in answers if answer.status_code == 201 and "kind" in answer.json()}
    assert len(added) == sum(answer.status_code == 201 for answer in answers) - 1
    with practice_scope(practice, actor=SETUP):
        assert {str(pk) for pk in ContactPoint.objects.filter(patient=survivor).values_list("pk", flat=True)} == added
        assert not ContactPoint.objects.filter(patient=source).exists()


def test_one_of_two_primary_coverages_is_added(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        path = f"{PATIENTS}/{PatientFactory.create().pk}/coverages"
    members = [client_for("front_desk", practice) for _ in range(3)]

    def adding(member: MemberClient) -> Callable[[], Any]:
        return lambda: member.post(path, {"payer": "Equitable", "member_id": "EQ-1815"})

    answers = at_once(*(adding(member) for member in members))
    assert [answer.status_code for answer in answers] == [201, 400, 400]
    assert {answer.json()["errors"][0]["code"] for answer in answers[1:]} == {"primary_taken"}
