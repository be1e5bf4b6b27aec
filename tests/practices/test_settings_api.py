"""A practice's settings over HTTP: what can be written, what is refused, and what a stranger sees."""

import uuid
from typing import Any

import pytest

from practices.models import CancellationReason, Closure, Location, Practice, PracticePolicy, Resource, TenantModel
from practices.tenancy import Actor, practice_scope
from tests.clients import MemberClient, client_for

BY = Actor.system("tests")
API = "/api/v1"

pytestmark = pytest.mark.django_db

COLLECTIONS: dict[str, tuple[type[TenantModel], dict[str, Any], dict[str, Any]]] = {
    "locations": (Location, {"name": "Main Street"}, {"city": "Troy"}),
    "resources": (Resource, {"kind": "room", "name": "Room 1"}, {"capacity": 2}),
    "closures": (
        Closure,
        {"name": "Holiday", "start_date": "2027-12-24", "end_date": "2027-12-26"},
        {"end_date": "2027-12-27"},
    ),
    "cancellation-reasons": (
        CancellationReason,
        {"code": "moved", "name": "Moved away", "by": "patient"},
        {"active": False},
    ),
}


@pytest.fixture
def owner(practice: Practice) -> MemberClient:
    return client_for("owner", practice)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_collection_is_created_read_changed_and_deleted(owner: MemberClient, name: str) -> None:
    _, body, change = COLLECTIONS[name]
    created = owner.post(f"{API}/{name}", body)
    assert created.status_code == 201
    row = created.json()
    assert {key: row[key] for key in body} == body
    assert created["Location"] == f"{API}/{name}/{row['id']}"
    path = created["Location"]
    assert owner.get(path).json() == row
    assert owner.get(f"{API}/{name}").json() == {"next": None, "previous": None, "results": [row]}
    changed = owner.patch(path, change, headers={"If-Match": created["ETag"]})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert {key: changed.json()[key] for key in change} == change
    assert owner.patch(path, change, headers={"If-Match": created["ETag"]}).status_code == 412
    assert owner.delete(path).status_code == 204
    assert owner.get(path).status_code == 404


@pytest.mark.parametrize("name", COLLECTIONS)
def test_stranger_finds_changes_and_deletes_nothing(practice: Practice, other_practice: Practice, name: str) -> None:
    model, body, change = COLLECTIONS[name]
    with practice_scope(practice, actor=BY):
        row = model.objects.create(**body)
    stranger = client_for("owner", other_practice)
    assert stranger.get(f"{API}/{name}").json()["results"] == []
    for method, data in (("get", None), ("patch", change), ("delete", None)):
        answers = [getattr(stranger, method)(f"{API}/{name}/{pk}", data) for pk in (row.pk, uuid.uuid4())]
        assert [(each.status_code, each.json()["detail"]) for each in answers] == [(404, "There is nothing here.")] * 2
    with practice_scope(practice, actor=BY):
        assert model.objects.get().version == 1


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", COLLECTIONS)
def test_list_costs_the_same_for_any_number(
    practice: Practice, owner: MemberClient, name: str, rows: int, django_assert_num_queries: Any
) -> None:
    model, body, _ = COLLECTIONS[name]
    label = "code" if name == "cancellation-reasons" else "name"
    with practice_scope(practice, actor=BY):
        for number in range(rows):
            model.objects.create(**{**body, label: f"row-{number}"})
    with django_assert_num_queries(6):  # savepoint and release, settings read, set and restored, identity, rows
        assert len(owner.get(f"{API}/{name}").json()["results"]) == rows


@pytest.mark.parametrize(
    ("name", "body", "pointer", "code"),
    [
        ("locations", {"name": "Taken"}, "/name", "unique"),
        ("locations", {"name": ""}, "/name", "blank"),
        ("locations", {"name": "A", "time_zone": "Mars/Base"}, "/time_zone", "invalid_time_zone"),
        ("locations", {"name": "A", "time_zone": "localtime"}, "/time_zone", "invalid_time_zone"),
        ("locations", {"name": "A", "practice": str(uuid.uuid4())}, "/practice", "unknown_field"),
        ("resources", {"kind": "provider", "name": "Dr. X"}, "/kind", "invalid"),
        ("resources", {"kind": "room", "name": "A", "capacity": 0}, "", "invalid"),
        ("resources", {"kind": "room", "name": "A", "location": str(uuid.uuid4())}, "/location", "does_not_exist"),
        ("closures", {"name": "A", "start_date": "2027-02-02", "end_date": "2027-02-01"}, "", "invalid"),
        (
            "closures",
            {"name": "A", "start_date": "2027-02-02", "end_date": "2027-02-02", "start_time": "09:00"},
            "",
            "invalid",
        ),
        ("cancellation-reasons", {"code": "a b", "name": "A", "by": "patient"}, "/code", "invalid"),
        ("cancellation-reasons", {"code": "a", "name": "A", "by": "weather"}, "/by", "invalid_choice"),
    ],
)
def test_what_makes_no_sense_is_refused(
    practice: Practice, owner: MemberClient, name: str, body: dict[str, Any], pointer: str, code: str
) -> None:
    with practice_scope(practice, actor=BY):
        Location.objects.create(name="Taken")
    response = owner.post(f"{API}/{name}", body)
    assert response.status_code == 400
    assert [(each["pointer"], each["code"]) for each in response.json()["errors"]] == [(pointer, code)]


def test_location_of_another_practice_is_refused_like_an_unknown_one(
    practice: Practice, other_practice: Practice, owner: MemberClient
) -> None:
    with practice_scope(other_practice, actor=BY):
        foreign = Location.objects.create(name="Theirs").pk
    answers = [
        owner.post(f"{API}/resources", {"kind": "room", "name": "A", "location": str(pk)})
        for pk in (foreign, uuid.uuid4())
    ]
    assert [each.status_code for each in answers] == [400, 400]
    assert answers[0].json()["errors"] == answers[1].json()["errors"]


def test_location_in_use_is_not_deleted(practice: Practice, owner: MemberClient) -> None:
    with practice_scope(practice, actor=BY):
        location = Location.objects.create(name="Here")
        Resource.objects.create(kind="room", name="Room", location=location)
    response = owner.delete(f"{API}/locations/{location.pk}")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_code_of_a_reason_is_fixed(owner: MemberClient) -> None:
    created = owner.post(f"{API}/cancellation-reasons", {"code": "moved", "name": "Moved", "by": "patient"})
    response = owner.patch(created["Location"], {"code": "left"})
    assert [(each["pointer"], each["code"]) for each in response.json()["errors"]] == [("/code", "immutable")]
    assert owner.patch(created["Location"], {"code": "moved", "name": "Gone"}).status_code == 200


def test_room_can_not_become_a_providers_calendar(owner: MemberClient) -> None:
    created = owner.post(f"{API}/resources", {"kind": "room", "name": "Room"})
    response = owner.patch(created["Location"], {"kind": "provider"})
    assert response.json()["errors"][0]["pointer"] == "/kind"


def test_lists_are_filtered_and_sorted(practice: Practice, owner: MemberClient) -> None:
    with practice_scope(practice, actor=BY):
        here, there = (Location.objects.create(name=name) for name in ("Here", "There"))
        Resource.objects.create(kind="room", name="A", location=here)
        Resource.objects.create(kind="equipment", name="B", location=there, active=False)

    def names(query: str) -> list[str]:
        return [row["name"] for row in owner.get(f"{API}/resources?{query}").json()["results"]]

    assert names("ordering=-name") == ["B", "A"]
    assert names("kind=room") == names(f"location={here.pk}") == names("active=true") == ["A"]
    assert names(f"location={uuid.uuid4()}") == []
    assert owner.get(f"{API}/resources?colour=red").json()["code"] == "unknown_parameter"


def test_closures_of_a_span_of_days(practice: Practice, owner: MemberClient) -> None:
    with practice_scope(practice, actor=BY):
        for day in (1, 2, 3):
            Closure.objects.create(name=str(day), start_date=f"2027-05-0{day}", end_date=f"2027-05-0{day}")
    response = owner.get(f"{API}/closures?end_date__gte=2027-05-02&start_date__lt=2027-05-03")
    assert [row["name"] for row in response.json()["results"]] == ["2"]


def test_closures_of_one_place_do_not_overlap(practice: Practice, owner: MemberClient) -> None:
    def closed(name: str, first: int, last: int, **more: Any) -> Any:
        days = {"start_date": f"2027-05-{first:02}", "end_date": f"2027-05-{last:02}"}
        return owner.post(f"{API}/closures", {"name": name, **days, **more})

    with practice_scope(practice, actor=BY):
        here = {"location": str(Location.objects.create(name="Here").pk)}
    fair = closed("Fair", 3, 5)
    assert closed("Flood", 4, 4, **here).status_code == 201  # elsewhere it is a holiday only
    mornings = closed("Painting", 6, 9, **here, start_time="08:00", end_time="12:00")
    assert closed("Noon", 6, 6, **here, start_time="12:00", end_time="13:00").status_code == 201
    for refused, others in (
        (closed("Feast", 5, 6), [fair]),
        (closed("Drill", 9, 9, **here, start_time="11:59", end_time="12:30"), [mornings]),
        (closed("Move", 9, 12, **here), [mornings]),
        (owner.patch(mornings["Location"], {"end_time": None, "start_time": None}, headers={"If-Match": "*"}), None),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "availability_conflict")
        if others is not None:
            assert [each["id"] for each in refused.json()["collides_with"]] == [each.json()["id"] for each in others]
    assert owner.patch(mornings["Location"], {"name": "Paint"}, headers={"If-Match": "*"}).status_code == 200


def test_practice_is_read_and_changed(practice: Practice, other_practice: Practice, owner: MemberClient) -> None:
    read = owner.get(f"{API}/practice")
    assert (read.json()["id"], read.json()["slug"], read["ETag"]) == (str(practice.pk), "alder", '"1"')
    changed = owner.patch(f"{API}/practice", {"name": "Alder & Elm", "currency": "EUR"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["name"], changed["ETag"]) == (200, "Alder & Elm", '"2"')
    assert owner.patch(f"{API}/practice", {"name": "Late"}, headers={"If-Match": '"1"'}).status_code == 412


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"slug": "new"}, "/slug"),
        ({"status": "closed"}, "/status"),
        ({"currency": "euro"}, "/currency"),
        ({"time_zone": "Nowhere"}, "/time_zone"),
        ({"locale": "x"}, "/locale"),
    ],
)
def test_practice_refuses_what_it_can_not_be(owner: MemberClient, body: dict[str, str], pointer: str) -> None:
    response = owner.patch(f"{API}/practice", body)
    assert response.status_code == 400
    assert {each["pointer"] for each in response.json()["errors"]} == {pointer}


def test_policy_is_there_from_the_start_and_changed(practice: Practice, owner: MemberClient) -> None:
    first = owner.get(f"{API}/practice/policy").json()
    assert (first["horizon_days"], first["no_show_after_minutes"]) == (365, None)
    changed = owner.patch(f"{API}/practice/policy", {"quiet_hours_start": "20:00", "quiet_hours_end": "08:00"})
    assert (changed.status_code, changed.json()["id"]) == (200, first["id"])
    assert owner.patch(f"{API}/practice/policy", {"quiet_hours_end": None}).status_code == 400
    with practice_scope(practice, actor=BY):
        assert PracticePolicy.objects.count() == 1
