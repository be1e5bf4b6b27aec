import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_unknown_api_path_is_a_problem(client: Client) -> None:
    response = client.get("/api/v1/nothing")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"
    assert response["RateLimit"].startswith('"anonymous";r=59')


@pytest.mark.parametrize("path", ["schema", "docs", "docs?script=", "redoc", "meta"])
def test_documentation_is_served_without_login(client: Client, path: str) -> None:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.content[:500]
    assert b"https://" not in response.content.replace(b"https://fonts", b"https://fonts") or path == "schema"
