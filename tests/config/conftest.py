from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from config.api.signing import AccessToken
from practices.models import Practice

Login = Callable[..., Client]


@pytest.fixture
def small_api(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.config.urls"


@pytest.fixture
def login(small_api: None) -> Login:
    """A client of one user of one practice."""

    def as_user_of(practice: Practice, user_id: UUID | None = None, **kwargs: Any) -> Client:
        token = AccessToken()
        token["practice"], token["sub"] = str(practice.pk), str(user_id or uuid4())
        return Client(headers={"Authorization": f"Bearer {token}"}, **kwargs)

    return as_user_of


@pytest.fixture
def client(small_api: None, practice: Practice, login: Login) -> Client:
    return login(practice)


@pytest.fixture
def nobody(small_api: None, db: None) -> Client:
    return Client()
