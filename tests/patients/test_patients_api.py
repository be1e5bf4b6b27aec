from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import ContactPoint, Patient, PatientIdentifier
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import ContactPointFactory, PatientFactory, PatientIdentifierFactory
from tests.patients.conftest import PATIENTS, SETUP

NO_ID = "01890000-0000-7000-8000-000000000000"
ALL_ROLES = ["owner", "admin", "provider", "assistant", "front_desk", "biller", "auditor"]
WRITERS = ["owner", "admin", "provider", "assistant", "front_desk"]


def url(patient: Patient, *parts: str) -> str:
    return "/".join([PATIENTS, str(patient.pk), *parts])


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def errors(response: Any) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def test_create_answers_with_the_whole_patient(desk: MemberClient) -> None:
    body = {
        "given_name": "Zoë",
        "family_name": "O'Neill",
        "birth_date": "1990-05-17",
        "birth_date_precision": "month",
        "sex": "female",
        "language": "en-US",
        "time_zone": "America/New_York",
        "phone": "(202) 555-0143",
        "email": "Zoe@Example.TEST",
    }
    response = desk.post(PATIENTS, body)
    assert response.status_code == 201, response.content
    created = response.json()
    assert {name: created.pop(name) for name in ("status", "version", "restricted", "merged_into", "deceased_at")} == {
        "status": "active",
        "version": 1,
        "restricted": False,
        "merged_into": None,
        "deceased_at": None,
    }
    assert (response["ETag"], response["Location"]) == ('"1"', f"{PATIENTS}/{created['id']}")
    assert len(created["mrn"]) == 8
    for name in ("id", "mrn", "created_at", "updated_at"):
        created.pop(name)
    assert created == {
        "given_name": "Zoë",
        "family_name": "O'Neill",
        "preferred_name": "",
        "birth_date": "1990-05-01",
        "birth_date_precision": "month",
        "sex": "female",
        "gender_identity": "",
        "pronouns": "",
        "language": "en-US",
        "time_zone": "America/New_York",
        "phone": "+12025550143",
        "email": "zoe@example.test",
    }


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("given_name", "", "blank"),
        ("given_name", None, "null"),
        ("birth_date", "2990-01-01", "in_future"),
        ("birth_date", "yesterday", "invalid"),
        ("deceased_at", "1700-01-01T00:00:00Z", "before_birth"),
        ("deceased_at", "2190-12-31T00:00:00Z", "in_future"),
        ("birth_date_precision", "week", "invalid_choice"),
        ("sex", "x", "invalid_choice"),
        ("language", "english please", "invalid"),
        ("time_zone", "Mars/Olympus", "invalid_time_zone"),
        ("phone", "12", "invalid_phone"),
        ("phone", "call me", "invalid_phone"),
        ("email", "nowhere", "invalid_email"),
        ("force_reason", 3, "invalid"),
        ("status", "archived", "unknown_field"),
        ("practice", NO_ID, "unknown_field"),
        ("merged_into", None, "unknown_field"),
        ("version", 3, "unknown_field"),
    ],
)
def test_create_with_a_wrong_value_is_refused(desk: MemberClient, field: str, value: object, code: str) -> None:
    body = {"given_name": "Ada", "family_name": "Byron", "birth_date": "1815-12-10", field: value}
    response = desk.post(PATIENTS, body)
    assert response.status_code == 400
    assert errors(response) == {f"/{field}": code}


def test_create_with_a_taken_mrn_is_refused(desk: MemberClient, ada: Patient) -> None:
    response = desk.post(PATIENTS, {"given_name": "Bo", "family_name": "Ek", "mrn": ada.mrn})
    assert (response.status_code, errors(response)) == (400, {"/mrn": "unique"})


def test_mrn_of_another_practice_is_free(stranger: MemberClient, ada: Patient) -> None:
    response = stranger.post(PATIENTS, {"given_name": "Bo", "family_name": "Ek", "mrn": ada.mrn})
    assert response.status_code == 201


@pytest.mark.parametrize(
    ("body", "matched"),
    [
        ({"given_name": "ADÁ", "family_name": "byron", "birth_date": "1815-12-10"}, ["name_and_birth_date"]),
        ({"given_name": "Al", "family_name": "King", "phone": "202 555 0100"}, ["phone"]),
    ],
)
def test_create_of_a_possible_duplicate_is_refused_with_candidates(
    desk: MemberClient,
    ada: Patient,
    practice: Practice,
    body: dict[str, str],
    matched: list[str],
    reads: list[list[UUID]],
) -> None:
    with practice_scope(practice, actor=SETUP):
        ContactPointFactory.create(patient=ada)
    response = desk.post(PATIENTS, body)
    assert (response.status_code, response.json()["code"]) == (409, "possible_duplicate")
    assert response.json()["candidates"] == [
        {
            "id": str(ada.pk),
            "mrn": ada.mrn,
            "given_name": "Ada",
            "family_name": "Byron",
            "birth_date": "1815-12-10",
            "status": "active",
            "matched": matched,
        }
    ]
    assert reads == [[ada.pk]]


def test_create_of_a_possible_duplicate_by_force_needs_a_reason(desk: MemberClient, ada: Patient) -> None:
    body = {"given_name": "Ada", "family_name": "Byron", "birth_date": "1815-12-10", "force": True}
    refused = desk.post(PATIENTS, body)
    assert (refused.status_code, errors(refused)) == (400, {"/force_reason": "required"})
    created = desk.post(PATIENTS, {**body, "force_reason": "Twins named alike."})
    assert created.status_code == 201
    with practice_scope(ada.practice_id, actor=SETUP):
        assert Patient.objects.get(pk=created.json()["id"]).duplicate_reason == "Twins named alike."


def test_duplicate_in_another_practice_is_none(stranger: MemberClient, ada: Patient) -> None:
    body = {"given_name": "Ada", "family_name": "Byron", "birth_date": "1815-12-10"}
    assert stranger.post(PATIENTS, body).status_code == 201


@pytest.mark.parametrize("role", ALL_ROLES)
def test_every_role_reads_and_only_some_write(role: str, practice: Practice, ada: Patient) -> None:
    member = client_for(role, practice)
    assert ids(member.get(PATIENTS)) == [str(ada.pk)]
    assert member.get(url(ada)).json()["family_name"] == "Byron"
    expected = 403 if role not in WRITERS else None
    assert member.post(PATIENTS, {"given_name": "B", "family_name": "Ek"}).status_code == (expected or 201)
    assert member.patch(url(ada), {"pronouns": "she"}).status_code == (expected or 200)
    assert member.post(url(ada, "archive")).status_code == (expected or 200)
    assert member.post(url(ada, "unarchive")).status_code == (expected or 200)
    assert member.delete(url(ada)).status_code == 405


@pytest.mark.usefixtures("practice")
def test_nobody_reads_without_a_token(client: Any, ada: Patient) -> None:
    assert client.get(PATIENTS).status_code == 401
    assert client.get(url(ada)).status_code == 401


PARTS: list[Callable[[MemberClient, Patient], Any]] = [
    lambda member, ada: member.get(url(ada)),
    lambda member, ada: member.patch(url(ada), {"pronouns": "x"}),
    lambda member, ada: member.post(url(ada, "archive")),
    lambda member, ada: member.get(url(ada, "contacts")),
    lambda member, ada: member.post(url(ada, "contacts"), {"kind": "phone", "value": "202 555 0100"}),
    lambda member, ada: member.get(url(ada, "identifiers")),
    lambda member, ada: member.post(url(ada, "identifiers"), {"type": "SS", "value": "1"}),
]


@pytest.mark.parametrize("attempt", PARTS)
def test_stranger_meets_the_same_answer_as_for_a_random_id(
    stranger: MemberClient, ada: Patient, attempt: Callable[[MemberClient, Patient], Any]
) -> None:
    answers = []
    for patient in (ada, Patient(pk=uuid4())):
        response = attempt(stranger, patient)
        assert response.status_code == 404
        answers.append({**response.json(), "instance": "", "request_id": ""})
    assert answers[0] == answers[1]
    assert ids(stranger.get(PATIENTS)) == []


def test_restricted_patient_is_seen_by_some_roles_only(practice: Practice, ada: Patient) -> None:
    with practice_scope(practice, actor=SETUP):
        ada = Patient.objects.get(pk=ada.pk)
        ada.restricted = True
        ada.save()
    seen = {}
    for role in ALL_ROLES:
        member = client_for(role, practice)
        found = ids(member.get(PATIENTS, {"search": "ada"}))
        statuses = {member.get(url(ada)).status_code, member.get(url(ada, "contacts")).status_code}
        assert statuses == ({200} if found else {404})
        seen[role] = bool(found)
    assert [role for role in ALL_ROLES if seen[role]] == ["owner", "admin"]


def test_change_keeps_what_is_not_named_and_counts_the_version(desk: MemberClient, ada: Patient) -> None:
    response = desk.patch(url(ada), {"family_name": "Lovelace"}, headers={"If-Match": '"1"'})
    changed = response.json()
    assert (response.status_code, changed["version"], response["ETag"]) == (200, 2, '"2"')
    assert (changed["given_name"], changed["family_name"], changed["birth_date"]) == ("Ada", "Lovelace", "1815-12-10")
    assert ids(desk.get(PATIENTS, {"search": "lovel"})) == [str(ada.pk)]
    assert desk.patch(url(ada), {"family_name": "B"}, headers={"If-Match": '"1"'}).status_code == 412


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"phone": "+12025550100"}, {"/phone": "unknown_field"}),
        ({"email": "a@b.test"}, {"/email": "unknown_field"}),
        ({"status": "archived"}, {"/status": "unknown_field"}),
        ({"given_name": ""}, {"/given_name": "blank"}),
        ({"birth_date": "2990-01-01"}, {"/birth_date": "in_future"}),
    ],
)
def test_change_to_a_wrong_value_is_refused(
    desk: MemberClient, ada: Patient, body: dict[str, str], found: dict[str, str]
) -> None:
    response = desk.patch(url(ada), body)
    assert (response.status_code, errors(response)) == (400, found)


def test_change_to_a_taken_mrn_is_refused(desk: MemberClient, ada: Patient, practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        other = PatientFactory.create()
    response = desk.patch(url(ada), {"mrn": other.mrn})
    assert (response.status_code, errors(response)) == (400, {"/mrn": "unique"})


def test_archived_patient_can_be_unarchived_only(desk: MemberClient, ada: Patient) -> None:
    assert desk.post(url(ada, "archive")).json()["status"] == "archived"
    again = desk.post(url(ada, "archive"))
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")
    assert again.json()["allowed_transitions"] == ["unarchive"]
    assert ids(desk.get(PATIENTS, {"status": "active"})) == []
    assert ids(desk.get(PATIENTS, {"status__in": "archived,merged"})) == [str(ada.pk)]
    assert desk.post(url(ada, "unarchive")).json()["status"] == "active"


def test_merged_patient_reads_where_it_went_and_changes_no_more(
    desk: MemberClient, ada: Patient, practice: Practice
) -> None:
    with practice_scope(practice, actor=SETUP):
        gone = PatientFactory.create(status="merged", merged_into=ada)
    assert desk.get(url(gone)).json()["merged_into"] == str(ada.pk)
    for response in (
        desk.patch(url(gone), {"pronouns": "x"}),
        desk.post(url(gone, "contacts"), {"kind": "email", "value": "a@b.test"}),
        desk.post(url(gone, "identifiers"), {"type": "SS", "value": "1"}),
        desk.post(url(gone, "archive")),
    ):
        problem = response.json()
        assert (response.status_code, problem["code"], problem["merged_into"]) == (409, "patient_merged", str(ada.pk))


@pytest.mark.parametrize(
    ("parameter", "value", "found"),
    [
        ("search", "byr", True),
        ("search", "ADÁ", True),
        ("search", "ad by", True),
        ("search", "yron", False),
        ("birth_date", "1815-12-10", True),
        ("birth_date", "1815-12-11", False),
        ("phone", "(202) 555-0100", True),
        ("phone", "+1 202 555 0100", True),
        ("phone", "202 555 0101", False),
        ("phone", "nonsense", False),
        ("email", "ADA@example.test", True),
        ("email", "nonsense", False),
        ("mrn", "M-1", True),
        ("mrn", "M-2", False),
        ("identifier", "123 45 6789", True),
        ("identifier", "-", False),
        ("status", "active", True),
        ("status", "archived", False),
        ("updated_since", "2020-01-01T00:00:00Z", True),
        ("updated_since", "2999-01-01T00:00:00Z", False),
    ],
)
def test_list_is_narrowed(desk: MemberClient, practice: Practice, parameter: str, value: str, found: bool) -> None:
    with practice_scope(practice, actor=SETUP):
        patient = PatientFactory.create(given_name="Ada", family_name="Byron", birth_date="1815-12-10", mrn="M-1")
        if parameter not in {"updated_since", "status"}:
            PatientFactory.create(given_name="Bo", family_name="Ek", birth_date=None)
        ContactPointFactory.create(patient=patient)
        ContactPointFactory.create(patient=patient, kind="email", value="ada@example.test")
        PatientIdentifierFactory.create(patient=patient)
    assert ids(desk.get(PATIENTS, {parameter: value})) == ([str(patient.pk)] if found else [])


@pytest.mark.parametrize(
    "query",
    [{"nonsense": "1"}, {"birth_date": "soon"}, {"status": "x"}, {"ordering": "sex"}, {"practice": NO_ID}],
)
def test_list_refuses_what_it_does_not_know(desk: MemberClient, query: dict[str, str]) -> None:
    assert desk.get(PATIENTS, query).status_code == 400


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [(None, "abc"), ("name", "abc"), ("-name", "cba"), ("birth_date", "cab"), ("-updated_at", "cba")],
)
def test_list_is_sorted_and_paged(desk: MemberClient, practice: Practice, ordering: str | None, expected: str) -> None:
    with practice_scope(practice, actor=SETUP):
        for name, birth_date in (("a", "1990-01-02"), ("b", "1990-01-03"), ("c", "1990-01-01")):
            PatientFactory.create(given_name=name, family_name="Byron", birth_date=birth_date)
    seen, page = "", f"{PATIENTS}?page_size=2" + (f"&ordering={ordering}" if ordering else "")
    while page:
        answer = desk.get(page).json()
        seen += "".join(row["given_name"] for row in answer["results"])
        page = answer["next"]
    assert seen == expected


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [(None, "Kim Mary Mike Otto"), ("-name", "Otto Mike Mary Kim"), ("birth_date", "Otto Mary")],
)
def test_found_by_name_is_sorted_and_paged_both_ways(
    desk: MemberClient, practice: Practice, ordering: str | None, expected: str
) -> None:
    """Among them somebody whom two words find, two of one name, and two whom the front desk doesn't see."""
    with practice_scope(practice, actor=SETUP):
        for given, family in (("Otto", "Zeta Mi"), ("Mary", "Miller"), ("Kim", "Midas"), ("Mike", "Miller")):
            PatientFactory.create(given_name=given, family_name=family, birth_date=None)
        PatientFactory.create(given_name="Mike", family_name="Miller", preferred_name="Mira", birth_date=None)
        PatientFactory.create(given_name="Mia", family_name="Aron", restricted=True)
        PatientFactory.create(given_name="Ben", family_name="Byron")
        Patient.objects.filter(given_name="Otto").update(birth_date="1990-01-01")
        Patient.objects.filter(given_name="Mary").update(birth_date="1990-01-02", status="archived")
    first = f"{PATIENTS}?page_size=1&search=mi&total=true" + (f"&ordering={ordering}" if ordering else "")
    there, back, page = [], [], first
    while page:
        answer = desk.get(page).json()
        there += answer["results"]
        last, page = page, answer["next"]
    while last:
        answer = desk.get(last).json()
        back += answer["results"]
        last = answer["previous"]
    assert [row["id"] for row in back] == [row["id"] for row in reversed(there)]
    assert answer["total"] == len(there) == len({row["id"] for row in there}) == 5
    assert list(dict.fromkeys(row["given_name"] for row in there))[: len(expected.split())] == expected.split()


def test_list_costs_the_same_with_one_and_thirty_patients(desk: MemberClient, practice: Practice) -> None:
    costs = []
    for more in (1, 29):
        with practice_scope(practice, actor=SETUP):
            for _ in range(more):
                patient = PatientFactory.create()
                ContactPointFactory.create(patient=patient)
                ContactPointFactory.create(patient=patient, kind="email", value="a@b.test")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert desk.get(PATIENTS).status_code == 200
        costs.append([query["sql"] for query in captured.captured_queries])
    assert len(costs[0]) == len(costs[1])
    assert len([sql for sql in costs[1] if 'FROM "patients_patient"' in sql]) == 1


def test_list_shows_each_patient_as_retrieve_does(desk: MemberClient, practice: Practice, ada: Patient) -> None:
    with practice_scope(practice, actor=SETUP):
        ContactPointFactory.create(patient=ada)
    assert desk.get(PATIENTS).json()["results"] == [desk.get(url(ada)).json()]


def test_primary_contact_point_is_the_lowest_ranked_in_use(
    desk: MemberClient, practice: Practice, ada: Patient
) -> None:
    with practice_scope(practice, actor=SETUP):
        ContactPointFactory.create(patient=ada, value="+12025550101", rank=2)
        ContactPointFactory.create(patient=ada, value="+12025550102", rank=1, use="old")
        ContactPointFactory.create(patient=ada, value="+12025550103", rank=3)
    assert (desk.get(url(ada)).json()["phone"], desk.get(url(ada)).json()["email"]) == ("+12025550101", None)


def test_reads_are_announced_once_a_request(desk: MemberClient, ada: Patient, reads: list[list[UUID]]) -> None:
    for path in (PATIENTS, url(ada), url(ada, "contacts"), url(ada, "identifiers")):
        assert desk.get(path).status_code == 200
    assert reads == [[ada.pk]] * 4
    desk.get(PATIENTS, {"search": "nobody"})
    desk.patch(url(ada), {"pronouns": "she"})
    assert reads == [[ada.pk]] * 4


def test_contact_point_is_made_changed_and_removed(desk: MemberClient, ada: Patient) -> None:
    made = desk.post(url(ada, "contacts"), {"kind": "phone", "value": "202-555-0100", "use": "work", "rank": 2})
    assert made.status_code == 201, made.content
    contact = made.json()
    assert {name: contact[name] for name in ("kind", "value", "use", "rank", "version")} == {
        "kind": "phone",
        "value": "+12025550100",
        "use": "work",
        "rank": 2,
        "version": 1,
    }
    one = url(ada, "contacts", contact["id"])
    assert desk.get(url(ada, "contacts")).json()["results"] == [contact] == [desk.get(one).json()]
    changed = desk.patch(one, {"kind": "email", "value": " Ada@Example.test "})
    assert (changed.status_code, changed.json()["value"], changed.json()["version"]) == (200, "ada@example.test", 2)
    assert desk.delete(one, headers={"If-Match": '"1"'}).status_code == 412
    assert desk.delete(one).status_code == 204
    assert desk.get(one).status_code == 404


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"kind": "phone", "value": "abc"}, {"/value": "invalid_phone"}),
        ({"kind": "email", "value": "abc"}, {"/value": "invalid_email"}),
        ({"kind": "fax", "value": "abc"}, {"/kind": "invalid_choice"}),
        ({"kind": "phone"}, {"/value": "required"}),
        ({"kind": "phone", "value": "202 555 0100", "rank": 0}, {"/rank": "min_value"}),
        ({"kind": "phone", "value": "202 555 0100", "patient": NO_ID}, {"/patient": "unknown_field"}),
        ({"kind": "phone", "value": "202 555 0100", "value_index": "x"}, {"/value_index": "unknown_field"}),
    ],
)
def test_contact_point_with_a_wrong_value_is_refused(
    desk: MemberClient, ada: Patient, body: dict[str, Any], found: dict[str, str]
) -> None:
    response = desk.post(url(ada, "contacts"), body)
    assert (response.status_code, errors(response)) == (400, found)


def test_identifier_is_made_changed_and_removed(desk: MemberClient, ada: Patient) -> None:
    made = desk.post(url(ada, "identifiers"), {"type": "SS", "value": "123-45-6789", "period_start": "2020-01-01"})
    assert made.status_code == 201, made.content
    identifier = made.json()
    one = url(ada, "identifiers", identifier["id"])
    assert desk.get(url(ada, "identifiers")).json()["results"] == [identifier] == [desk.get(one).json()]
    twice = desk.post(url(ada, "identifiers"), {"type": "SS", "value": "123 45 6789"})
    assert (twice.status_code, errors(twice)) == (400, {"/value": "unique"})
    early = desk.patch(one, {"period_end": "2019-01-01"})
    assert early.status_code == 400
    assert desk.patch(one, {"type": "NI"}).json()["type"] == "NI"
    assert desk.delete(one).status_code == 204
    assert desk.get(url(ada, "identifiers")).json()["results"] == []


@pytest.mark.parametrize("part", ["contacts", "identifiers"])
@pytest.mark.parametrize("role", ALL_ROLES)
def test_parts_follow_the_role_table(role: str, part: str, practice: Practice, ada: Patient) -> None:
    member = client_for(role, practice)
    with practice_scope(practice, actor=SETUP):
        factory = ContactPointFactory if part == "contacts" else PatientIdentifierFactory
        row: ContactPoint | PatientIdentifier = factory.create(patient=ada)
    body = {"kind": "email", "value": "a@b.test"} if part == "contacts" else {"type": "DL", "value": "D-1"}
    allowed = role in WRITERS
    assert ids(member.get(url(ada, part))) == [str(row.pk)]
    assert member.post(url(ada, part), body).status_code == (201 if allowed else 403)
    assert member.patch(url(ada, part, str(row.pk)), {}).status_code == (200 if allowed else 403)
    assert member.delete(url(ada, part, str(row.pk))).status_code == (204 if allowed else 403)


@pytest.mark.parametrize("part", ["contacts", "identifiers"])
def test_part_of_one_patient_is_not_found_under_another(
    desk: MemberClient, practice: Practice, ada: Patient, part: str
) -> None:
    with practice_scope(practice, actor=SETUP):
        other = PatientFactory.create()
        factory = ContactPointFactory if part == "contacts" else PatientIdentifierFactory
        row = factory.create(patient=ada)
    assert desk.get(url(other, part, str(row.pk))).status_code == 404
    assert desk.patch(url(other, part, str(row.pk)), {}).status_code == 404
    assert desk.delete(url(other, part, str(row.pk))).status_code == 404
