from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from patients.models import Patient
from patients.signals import patient_data_read
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import PatientFactory

SETUP = Actor.system("tests")
PATIENTS = "/api/v1/patients"


@pytest.fixture
def desk(practice: Practice) -> MemberClient:
    return client_for("front_desk", practice)


@pytest.fixture
def stranger(other_practice: Practice) -> MemberClient:
    """Somebody who may do everything, in another practice."""
    return client_for(["owner", "provider"], other_practice)


@pytest.fixture
def ada(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Ada", family_name="Byron", birth_date="1815-12-10")


@pytest.fixture
def reads() -> Iterator[list[list[UUID]]]:
    """The ids that each signal of a read named."""
    heard: list[list[UUID]] = []

    def hear(patient_ids: list[UUID | str], **kwargs: Any) -> None:
        heard.append([UUID(str(each)) for each in patient_ids])

    patient_data_read.connect(hear)
    yield heard
    patient_data_read.disconnect(hear)
