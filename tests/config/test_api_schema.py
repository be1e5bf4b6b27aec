"""The contract says of every operation what the base views do."""

from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

METHODS = ("get", "post", "patch", "delete")


@pytest.fixture(scope="module")
def contract() -> Any:
    import tests.config.urls as urls

    return SchemaGenerator(urlconf=urls).get_schema(request=None, public=True)


def operations(contract: Any) -> dict[str, Any]:
    return {
        item[method]["operationId"]: item[method]
        for item in contract["paths"].values()
        for method in METHODS
        if method in item
    }


def parameters(operation: Any, place: str) -> set[str]:
    return {each["name"] for each in operation.get("parameters", []) if each["in"] == place}


def test_operations_are_named_by_what_they_do(contract: Any) -> None:
    names = set(operations(contract))
    assert {
        "locations_list",
        "locations_create",
        "locations_retrieve",
        "locations_update",
        "locations_delete",
        "locations_close",
        "locations_fail_late",
        "meta",
    } <= names
    assert not GENERATOR_STATS


def test_lists_say_their_parameters(contract: Any) -> None:
    listing = operations(contract)["resources_list"]
    assert parameters(listing, "query") == {
        "cursor", "page_size", "total", "ordering", "kind", "kind__in", "id__in", "location", "updated_since",
    }  # fmt: skip
    schema = listing["responses"]["200"]["content"]["application/json"]["schema"]
    page = contract["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    assert page["required"] == ["next", "previous", "results"]
    assert parameters(operations(contract)["resources_retrieve"], "query") == set()


def test_writes_say_their_headers(contract: Any) -> None:
    named = operations(contract)
    assert parameters(named["locations_create"], "header") == {"Idempotency-Key"}
    assert parameters(named["locations_close"], "header") == {"Idempotency-Key", "If-Match"}
    assert parameters(named["locations_update"], "header") == {"If-Match"}
    assert parameters(named["locations_delete"], "header") == {"If-Match"}
    assert parameters(named["locations_retrieve"], "header") == set()
    assert "ETag" in named["locations_update"]["responses"]["200"]["headers"]


def test_every_operation_names_the_shared_problem(contract: Any) -> None:
    for operation in operations(contract).values():
        for status, response in operation["responses"].items():
            assert (int(status) >= 400) == (response == {"$ref": "#/components/responses/Problem"})
        assert {"400", "406", "429", "500"} <= set(operation["responses"])
    assert {"401", "403", "404", "409", "412"} <= set(operations(contract)["locations_close"]["responses"])


def test_request_bodies_are_closed_and_actions_without_one_have_none(contract: Any) -> None:
    named = operations(contract)
    assert "requestBody" not in named["locations_close"]
    schemas = contract["components"]["schemas"]
    assert schemas["LocationRequest"]["additionalProperties"] is False
    assert set(schemas["LocationRequest"]["properties"]) == {"name", "city", "country", "active"}
    assert "required" not in schemas["PatchedLocationRequest"]
    assert schemas["Location"]["properties"]["id"] == {"type": "string", "format": "uuid", "readOnly": True}


def test_ids_in_paths_are_uuids(contract: Any) -> None:
    for path, item in contract["paths"].items():
        for operation in (item[method] for method in METHODS if method in item):
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    assert parameter["schema"] == {"type": "string", "format": "uuid"}, path


def test_only_public_operations_need_no_token(contract: Any) -> None:
    public = {name for name, operation in operations(contract).items() if not operation.get("security")}
    assert public == {"meta", "echo_retrieve", "echo", "login_retrieve", "login", "broken_retrieve", "broken"}
    flow = contract["components"]["securitySchemes"]["OAuth2"]["flows"]["password"]
    assert flow["tokenUrl"] == "/api/v1/auth/token"


def test_docstrings_of_base_classes_stay_out(contract: Any) -> None:
    assert "base" not in str(operations(contract)["locations_list"].get("description", "")).lower()
    assert "description" not in contract["components"]["schemas"]["Location"]
