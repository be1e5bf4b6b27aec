"""What the tests of everything under a patient need."""

from typing import Any

from patients.models import Patient
from tests.patients.conftest import PATIENTS


def url(patient: Patient, collection: str, *parts: str) -> str:
    return "/".join([PATIENTS, str(patient.pk), collection, *parts])


def errors(response: Any) -> dict[str, str]:
    assert response.status_code == 400, response.content
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def without_stamps(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"id", "version", "created_at", "updated_at"}}
