"""The worklist of possible duplicates over HTTP and in the admin: who sees it, proposes and decides."""

from __future__ import annotations

import pytest

from integrations.tasks import find_duplicates
from patients.models import DuplicateCandidate, Patient
from patients.services import merging
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.admin.pages import staff, url
from tests.clients import MemberClient, client_for
from tests.factories.patients import PatientFactory
from tests.patients.conftest import SETUP

PAIRS = "/api/v1/duplicate-candidates"

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(practice: Practice) -> MemberClient:
    return client_for("owner", practice)


@pytest.fixture
def again(practice: Practice, ada: Patient) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Ada", family_name="Byrno", birth_date=ada.birth_date)


def test_nightly_job_finds_a_pair_that_is_decided_and_not_found_again(
    owner: MemberClient, ada: Patient, again: Patient
) -> None:
    find_duplicates(timestamp=0)
    [pair] = owner.get(PAIRS, {"status": "open"}).json()["results"]
    assert (pair["first"]["id"], pair["second"]["id"]) == (str(ada.pk), str(again.pk))
    assert (pair["first"]["family_name"], pair["second"]["family_name"]) == ("Byron", "Byrno")
    assert (pair["score"], pair["matched"]) == (70, ["similar_name", "birth_date"])
    assert (pair["proposed_by"], pair["reason"]) == (None, "")
    dismissed = owner.post(f"{PAIRS}/{pair['id']}/dismiss", {"note": "Sisters"})
    assert (dismissed.status_code, dismissed.json()["status"], dismissed.json()["note"]) == (
        200,
        "dismissed",
        "Sisters",
    )
    assert dismissed.json()["decided_by"]["id"] == str(owner.user.pk)
    twice = owner.post(f"{PAIRS}/{pair['id']}/dismiss", {})
    assert (twice.status_code, twice.json()["code"]) == (409, "already_decided")
    find_duplicates(timestamp=0)
    assert owner.get(PAIRS, {"status": "open"}).json()["results"] == []
    confirmed = owner.post(f"{PAIRS}/{pair['id']}/confirm", {}).json()
    assert (confirmed["status"], confirmed["note"]) == ("confirmed", "")
    of_patient = [owner.get(PAIRS, {"patient": str(each)}).json()["results"] for each in (ada.pk, confirmed["id"])]
    assert [len(each) for each in of_patient] == [1, 0]


def test_pair_is_gone_while_it_is_merged(owner: MemberClient, practice: Practice, ada: Patient, again: Patient) -> None:
    find_duplicates(timestamp=0)
    with practice_scope(practice, actor=SETUP):
        merge = merging.merge(survivor=ada, source=again, reason="Same", by=SETUP)
    assert owner.get(PAIRS).json()["results"] == []
    with practice_scope(practice, actor=SETUP):
        merging.reverse(merge=merge, by=SETUP)
    assert len(owner.get(PAIRS).json()["results"]) == 1


def test_front_desk_proposes_and_sees_only_that(
    desk: MemberClient, owner: MemberClient, practice: Practice, ada: Patient, again: Patient
) -> None:
    with practice_scope(practice, actor=SETUP):
        third = PatientFactory.create(birth_date=None)
    find_duplicates(timestamp=0)
    assert desk.get(PAIRS).json()["results"] == []
    body = {"first": str(third.pk), "second": str(ada.pk), "reason": "Same voice"}
    made = desk.post(PAIRS, body)
    assert (made.status_code, made.json()["first"]["id"], made.json()["score"]) == (201, str(ada.pk), 0)
    assert (made.json()["proposed_by"]["id"], made.json()["reason"]) == (str(desk.user.pk), "Same voice")
    assert [each["id"] for each in desk.get(PAIRS).json()["results"]] == [made.json()["id"]]
    assert desk.get(f"{PAIRS}/{made.json()['id']}").status_code == 200
    assert desk.post(f"{PAIRS}/{made.json()['id']}/confirm", {}).status_code == 403
    assert [each["score"] for each in owner.get(PAIRS).json()["results"]] == [70, 0]
    for refused, code in (
        ({**body, "first": str(ada.pk), "second": str(third.pk)}, "pair_known"),
        ({**body, "first": str(ada.pk)}, "merge_of_one"),
    ):
        answer = desk.post(PAIRS, refused)
        assert (answer.status_code, answer.json()["code"]) == (409, code)
    with practice_scope(practice, actor=SETUP):
        merging.merge(survivor=ada, source=third, reason="Same", by=SETUP)
    late = desk.post(PAIRS, {**body, "second": str(again.pk)})
    assert (late.status_code, late.json()["code"]) == (409, "patient_merged")


def test_restricted_chart_is_in_no_pair_of_who_does_not_see_it(
    desk: MemberClient, owner: MemberClient, practice: Practice, ada: Patient, again: Patient
) -> None:
    body = {"first": str(ada.pk), "second": str(again.pk), "reason": "Same"}
    made = desk.post(PAIRS, body).json()
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=again.pk).update(restricted=True)
    assert desk.get(f"{PAIRS}/{made['id']}").status_code == 404
    assert desk.get(PAIRS).json()["results"] == []
    hidden = desk.post(PAIRS, body)
    assert (hidden.status_code, hidden.json()["errors"][0]["pointer"]) == (400, "/second")
    assert owner.get(f"{PAIRS}/{made['id']}").status_code == 200


@pytest.mark.parametrize("role", ["provider", "assistant", "biller", "auditor"])
def test_other_roles_have_no_such_list(role: str, practice: Practice, ada: Patient, again: Patient) -> None:
    client = client_for(role, practice)
    assert client.get(PAIRS).status_code == 403
    body = {"first": str(ada.pk), "second": str(again.pk), "reason": "Same"}
    assert client.post(PAIRS, body).status_code == 403


def test_stranger_finds_none_of_ours(
    stranger: MemberClient, other_practice: Practice, practice: Practice, ada: Patient, again: Patient
) -> None:
    find_duplicates(timestamp=0)
    with practice_scope(other_practice, actor=SETUP):
        theirs = PatientFactory.create()
    with practice_scope(practice, actor=SETUP):
        pair = DuplicateCandidate.objects.get()
    assert stranger.get(PAIRS).json()["results"] == []
    assert stranger.get(f"{PAIRS}/{pair.pk}").status_code == 404
    assert stranger.post(f"{PAIRS}/{pair.pk}/dismiss", {}).status_code == 404
    answer = stranger.post(PAIRS, {"first": str(theirs.pk), "second": str(ada.pk), "reason": "Same"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/second")


def test_owner_decides_in_the_admin_and_the_desk_sees_its_own(practice: Practice, ada: Patient, again: Patient) -> None:
    find_duplicates(timestamp=0)
    owner, desk = staff("owner", practice), staff("front_desk", practice)
    with practice_scope(practice, actor=SETUP):
        pair = DuplicateCandidate.objects.get()
    listed = owner.get(url(DuplicateCandidate, "changelist")).content.decode()
    assert (f"Byron, Ada ({ada.mrn}" in listed, "Byron" in listed) == (True, True)
    own = desk.get(url(DuplicateCandidate, "changelist"))
    assert (own.status_code, "Byron" in own.content.decode()) == (200, False)
    page = owner.get(url(DuplicateCandidate, "change", pair.pk)).content.decode()
    assert url(Patient, "change", again.pk) in page
    decide = url(DuplicateCandidate, "do", pair.pk, "dismiss")
    assert desk.post(decide, {}).status_code in (403, 404)
    assert owner.post(decide, {"note": "Sisters"}).status_code == 302
    with practice_scope(practice, actor=SETUP):
        pair.refresh_from_db()
        assert (pair.status, pair.note, pair.decided_by_id) == ("dismissed", "Sisters", owner.user.pk)
