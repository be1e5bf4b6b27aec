"""One collection from end to end: create, read, change, delete, and who else it is shown to."""

import gc
from uuid import uuid4

import pytest
from django.test import Client
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from practices.models import Practice
from tests.config.conftest import Login

URL = "/api/v1/locations"


def create(client: Client, **body: object) -> dict[str, object]:
    response = client.post(URL, {"name": "Main", **body}, "application/json")
    assert response.status_code == 201, response.content
    created: dict[str, object] = response.json()
    return created


def test_create_answers_the_object_with_location_and_etag(client: Client) -> None:
    response = client.post(URL, {"name": " Main "}, "application/json")
    body = response.json()
    assert response.status_code == 201
    assert body["name"] == "Main"
    assert body["created_at"].endswith("Z")
    assert response["Location"] == f"{URL}/{body['id']}"
    assert response["ETag"] == '"1"'
    assert response["Cache-Control"] == "no-store"
    assert client.get(response["Location"]).json() == body


def test_update_raises_the_version(client: Client) -> None:
    created = create(client)
    response = client.patch(f"{URL}/{created['id']}", {"city": "Troy"}, "application/json", headers={"If-Match": '"1"'})
    assert response.status_code == 200
    assert response.json()["city"] == "Troy"
    assert response["ETag"] == '"2"'


@pytest.mark.parametrize(
    ("tag", "status"), [('"7"', 412), ('W/"1"', 412), ("1", 400), ("", 400), ("*", 200), ('"9", "1"', 200)]
)
def test_if_match_is_honoured(client: Client, tag: str, status: int) -> None:
    url = f"{URL}/{create(client)['id']}"
    response = client.patch(url, {"city": "Troy"}, "application/json", headers={"If-Match": tag})
    assert response.status_code == status
    assert client.get(url).json()["city"] == ("Troy" if status == 200 else "")


def test_stale_delete_and_action_are_refused(client: Client) -> None:
    url = f"{URL}/{create(client)['id']}"
    assert client.delete(url, headers={"If-Match": '"4"'}).json()["code"] == "precondition_failed"
    assert client.post(f"{url}/close", {}, "application/json", headers={"If-Match": '"4"'}).status_code == 412
    assert client.generic("POST", f"{url}/close", headers={"If-Match": '"1"'}).json()["active"] is False
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


def test_taken_name_is_refused_on_its_field(client: Client) -> None:
    create(client)
    response = client.post(URL, {"name": "Main"}, "application/json")
    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"pointer": "/name", "code": "unique", "detail": "Another object already uses this value.", "in": "body"}
    ]


def test_taken_name_is_refused_on_update(client: Client) -> None:
    create(client)
    other = create(client, name="Other")
    response = client.patch(f"{URL}/{other['id']}", {"name": "Main"}, "application/json")
    assert response.json()["errors"][0]["pointer"] == "/name"
    assert client.patch(f"{URL}/{other['id']}", {"name": "Other"}, "application/json").status_code == 200


def test_unknown_and_read_only_fields_are_refused_together_with_the_rest(client: Client) -> None:
    response = client.post(URL, {"nmae": "x", "version": 4, "active": "yes"}, "application/json")
    errors = {error["pointer"]: error["code"] for error in response.json()["errors"]}
    assert errors == {"/nmae": "unknown_field", "/version": "unknown_field", "/active": "invalid", "/name": "required"}
    assert response.json()["code"] == "validation_error"
    only = client.post(URL, {"name": "x", "a/b~c": 1}, "application/json").json()
    assert (only["code"], only["errors"][0]["pointer"]) == ("unknown_field", "/a~1b~0c")


@pytest.mark.parametrize("path", ["/close", ""])
def test_body_where_none_is_taken_is_refused(client: Client, path: str) -> None:
    url = f"{URL}/{create(client)['id']}{path}"
    send = client.post if path else client.delete
    assert send(url, {"x": 1}, "application/json").json()["code"] == "unknown_field"
    assert send(url, b"[1", "application/json").json()["code"] == "malformed_request"
    assert send(url, "<a/>", "application/xml").status_code == 415


def test_other_practice_gets_the_answer_to_a_random_id(client: Client, login: Login, other_practice: Practice) -> None:
    known = create(client)["id"]
    stranger = login(other_practice)
    for send in (stranger.get, stranger.delete, stranger.patch):
        foreign, random = send(f"{URL}/{known}"), send(f"{URL}/{uuid4()}")
        assert foreign.status_code == random.status_code == 404
        drop = ("instance", "request_id")
        assert {k: v for k, v in foreign.json().items() if k not in drop} == {
            k: v for k, v in random.json().items() if k not in drop
        }
    bodies = [
        stranger.post(
            "/api/v1/resources", {"kind": "room", "name": "R", "location": str(key)}, "application/json"
        ).json()
        for key in (known, uuid4())
    ]
    assert bodies[0]["errors"] == bodies[1]["errors"]
    assert bodies[0]["errors"][0]["code"] == "does_not_exist"


def test_handled_refusal_after_a_write_leaves_nothing(client: Client) -> None:
    url = f"{URL}/{create(client)['id']}"
    response = client.generic("POST", f"{url}/fail-late")
    assert response.status_code == 409
    assert response.json()["hint"] == "try nothing"
    assert response.json()["code"] == "never"


def test_reads_are_reported_to_the_hook(client: Client) -> None:
    from tests.config.urls import LocationViewSet

    created = create(client)
    LocationViewSet.read.clear()
    client.get(URL)
    client.get(f"{URL}/{created['id']}")
    assert [created] == LocationViewSet.read[0]
    assert created == LocationViewSet.read[1]


def test_put_and_unknown_methods_are_405(client: Client) -> None:
    response = client.put(URL, {"name": "x"}, "application/json")
    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert "GET" in response["Allow"]


def test_head_and_options_have_no_body(client: Client, nobody: Client) -> None:
    assert client.head(URL).status_code == 200
    assert client.head(URL).content == b""
    options = nobody.options(URL)
    assert (options.status_code, options.content) == (204, b"")
    assert options["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_without_token_is_401_with_challenge(nobody: Client) -> None:
    response = nobody.get(URL)
    assert response.status_code == 401
    assert response.json()["code"] == "not_authenticated"
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert "RateLimit" in response


def test_choice_left_open_is_null_and_not_an_empty_member() -> None:
    from appointments.models import Appointment
    from config.api.serializers import StrictModelSerializer

    class Stage(StrictModelSerializer[Appointment]):
        class Meta:
            model = Appointment
            fields = ["flow_stage"]

    assert Stage(Appointment(flow_stage="")).data == {"flow_stage": None}
    assert Stage(Appointment(flow_stage="waiting")).data == {"flow_stage": "waiting"}
    for given, kept in ((None, ""), ("waiting", "waiting")):
        field = Stage().fields["flow_stage"]
        assert field.run_validation(given) == kept


def test_nothing_of_a_request_waits_for_the_collector(client: Client) -> None:
    environment = dict(client.get(URL).wsgi_request.environ)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        client.handler(environment)
        gc.collect()
        assert not [each for each in gc.garbage if isinstance(each, APIView | Request | Response)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
