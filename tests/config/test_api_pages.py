"""Lists: pages by key in both directions, over every ordering, with rows that appear and vanish in between."""

from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from practices.models import Location, Practice, Resource
from practices.tenancy import Actor, practice_scope

URL = "/api/v1/resources"
ACTOR = Actor.system("tests")


@pytest.fixture
def rooms(practice: Practice) -> None:
    """23 rooms; some without a location, several with the same capacity."""
    with practice_scope(practice, actor=ACTOR):
        places = [Location.objects.create(name=f"Place {i}") for i in range(3)]
        for i in range(23):
            location = places[i % 3] if i % 4 else None
            Resource.objects.create(kind="room", name=f"Room {i:02}", location=location, capacity=1 + i % 5)


def walk(client: Client, url: str, link: str = "next") -> list[list[dict[str, Any]]]:
    pages = []
    following: str | None = url
    while following:
        response = client.get(following)
        assert response.status_code == 200, response.content
        pages.append(response.json()["results"])
        following = response.json()[link]
        last = response
    assert last.json()[link] is None
    return pages


@pytest.mark.parametrize(
    "ordering", ["name", "-name", "capacity", "-capacity", "location", "-location", "capacity,-name", "-location,name"]
)
def test_pages_hold_every_row_once_in_the_database_order(client: Client, rooms: None, ordering: str) -> None:
    whole = client.get(f"{URL}?ordering={ordering}&page_size=200").json()["results"]
    pages = walk(client, f"{URL}?ordering={ordering}&page_size=5")
    assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
    assert [row for page in pages for row in page] == whole
    assert len(whole) == 23


@pytest.mark.parametrize("ordering", ["name", "-capacity", "location", "-location,name"])
def test_pages_can_be_walked_backwards(client: Client, rooms: None, ordering: str) -> None:
    url: str | None = f"{URL}?ordering={ordering}&page_size=5"
    forwards = walk(client, url or "")
    while url:
        last = client.get(url).json()
        url, end = last["next"], last
    backwards = [end["results"], *walk(client, end["previous"], "previous")]
    assert backwards == forwards[::-1]


def test_rows_inserted_meanwhile_do_not_shift_pages(client: Client, rooms: None, practice: Practice) -> None:
    first = client.get(f"{URL}?ordering=name&page_size=5").json()
    with practice_scope(practice, actor=ACTOR):
        Resource.objects.create(kind="room", name="Room 00 a")
        Resource.objects.filter(name="Room 04").delete()
    second = client.get(first["next"]).json()
    assert [row["name"] for row in second["results"]] == [f"Room {i:02}" for i in range(5, 10)]
    assert client.get(second["previous"]).json()["results"][-1]["name"] == "Room 03"


def test_a_page_costs_one_statement_wherever_it_lies(client: Client, rooms: None) -> None:
    url = client.get(f"{URL}?page_size=20&ordering=name").json()["next"]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(url)
    selects = [query["sql"] for query in queries if "practices_resource" in query["sql"]]
    assert len(selects) == 1
    assert 'ROW("practices_resource"."name", "practices_resource"."id") > ROW(' in selects[0]


def test_total_is_counted_on_request(client: Client, rooms: None) -> None:
    assert client.get(f"{URL}?total=true&page_size=2").json()["total"] == 23
    assert "total" not in client.get(f"{URL}?total=false").json()


def test_empty_list_has_no_neighbours(client: Client) -> None:
    assert client.get(URL).json() == {"next": None, "previous": None, "results": []}


def test_cursor_hides_the_values_it_holds(client: Client, rooms: None) -> None:
    import base64

    cursor = client.get(f"{URL}?ordering=name&page_size=2").json()["next"].split("cursor=")[1].split("&")[0]
    assert b"Room" not in base64.urlsafe_b64decode(cursor + "===")


@pytest.mark.parametrize("cursor", ["x", "%00", "é", "gAAAAA", "a" * 5000, "../..", "null"])
def test_invented_cursor_is_refused(client: Client, cursor: str) -> None:
    response = client.get(f"{URL}?cursor={quote(cursor, safe='%')}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/cursor"


def test_changed_cursor_and_one_of_another_ordering_are_refused(client: Client, rooms: None) -> None:
    url = client.get(f"{URL}?ordering=name&page_size=2").json()["next"]
    assert client.get(url.replace("ordering=name", "ordering=capacity")).json()["code"] == "invalid_cursor"
    head, _, tail = url.partition("cursor=")
    assert client.get(f"{head}cursor={tail[:30]}{'B' if tail[30] == 'A' else 'A'}{tail[31:]}").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0", "page_size=201", "page_size=-1", "page_size=1e2", "page_size=٣", "page_size=", "total=1",
        "ordering=version", "ordering=name,name", "ordering=-", "ordering=name,", "ordering=?",
        "ordering=practice__slug",
        "kind=", "kind=tent", "kind__in=room,tent", "kind__in=room,", "kind__in=%00", "location=7", "location=null",
        "id__in=1,2", "updated_since=yesterday", "updated_since=2027-01-01", "updated_since=2027-01-01T00:00:00",
        "updated_since=0000-01-01T00:00:00Z", "updated_since=0001-01-01T00:00:00%2B14:00", "kind=room&kind=room",
        "updated_since=9999-12-31T23:59:59-14:00", "updated_since=2027-02-30T00:00:00Z", "kind=" + "r" * 5000,
    ],
)  # fmt: skip
def test_bad_parameters_are_refused_by_name(client: Client, query: str) -> None:
    response = client.get(f"{URL}?{query}")
    assert response.status_code == 400, response.content
    problem = response.json()
    assert problem["errors"][0]["pointer"] == "/" + query.partition("=")[0]
    assert problem["errors"][0]["in"] == "query"


@pytest.mark.parametrize("path", [URL, "/api/v1/echo", "/api/v1/meta", f"{URL}/01a20474-7afb-75e0-9817-5cc428908d3a"])
@pytest.mark.parametrize("name", ["nmae", "practice", "x%00", "kind__exact", "cursor[]"])
def test_unknown_parameters_are_refused_everywhere(client: Client, path: str, name: str) -> None:
    assert client.get(f"{path}?{name}=1").json()["code"] == "unknown_parameter"


def test_filters_narrow(client: Client, rooms: None) -> None:
    place = client.get("/api/v1/locations?name=Place%201").json()["results"][0]
    here = client.get(f"{URL}?location={place['id']}").json()["results"]
    assert {row["location"] for row in here} == {place["id"]}
    ids = f"{here[0]['id']},{here[1]['id']}"
    assert len(client.get(f"{URL}?id__in={ids}").json()["results"]) == 2
    assert client.get(f"{URL}?kind__in=provider,equipment").json()["results"] == []
    assert client.get(f"{URL}?updated_since=2999-01-01T00:00:00Z").json()["results"] == []
    assert client.get("/api/v1/locations?active=false").json()["results"] == []


def test_foreign_id_in_a_filter_is_like_a_random_one(client: Client, rooms: None, other_practice: Practice) -> None:
    with practice_scope(other_practice, actor=ACTOR):
        foreign = Location.objects.create(name="Far")
    assert client.get(f"{URL}?location={foreign.pk}").json() == {"next": None, "previous": None, "results": []}


def test_ordering_by_a_public_name_for_several_columns(client: Client, rooms: None) -> None:
    assert client.get("/api/v1/locations?ordering=-place").status_code == 200
