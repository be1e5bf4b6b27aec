"""Nobody learns from the time an answer takes whether an address has an account."""

import random
import time
from collections.abc import Callable, Iterable
from itertools import chain, repeat
from math import sqrt
from statistics import median
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts.models import User
from practices.models import Practice
from practices.tenancy import Actor, platform_scope, practice_scope
from tests.accounts.hashers import CHEAP
from tests.clients import client_for
from tests.factories.accounts import MembershipFactory, UserFactory

TRIES = 400
INVITED = 120
"""Of each kind: every invitation is one to a new address."""
CHANCE = 4  # standard deviations: by chance alone, less than one run in 10,000 fails
BY = Actor.system("tests")

pytestmark = [pytest.mark.machinery, pytest.mark.django_db]  # its bounds are of this machine, not of the database


@pytest.fixture
def account(practice: Practice, other_practice: Practice, settings: Settings) -> User:
    """A member of two practices, in whose logs the attempts are noted as well.

    At its real price the hash would hide differences of everything beside it; that it is left out for an address
    nobody has is found at this price too.
    """
    settings.RATELIMIT_ENABLE = False
    settings.PASSWORD_HASHERS = CHEAP
    user = UserFactory.create(password=make_password("violet-tractor-sings"))
    for each in (practice, other_practice):
        with practice_scope(each, actor=BY):
            MembershipFactory.create(user=user, roles=["provider"])
    return user


def log_in(client: APIClient, email: str) -> Any:
    body = {"grant_type": "password", "username": email, "password": "not-the-password"}
    return client.post("/api/v1/auth/token", body)


def ask_for_link(client: APIClient, email: str) -> Any:
    return client.post("/api/v1/auth/password/reset", {"email": email})


def times(
    ask: Callable[[APIClient, str], Any], pairs: Iterable[tuple[str, str]], client: APIClient
) -> list[list[float]]:
    """Milliseconds of each try, in pairs of random order: whatever else the machine does hits both alike."""
    taken: list[list[float]] = [[], []]
    for emails in pairs:
        for which in random.sample((0, 1), 2):
            begun = time.perf_counter()
            ask(client, emails[which])
            taken[which].append((time.perf_counter() - begun) * 1000)
    return taken


def rank_test(one: list[float], other: list[float]) -> float:
    """Mann and Whitney's: by how many standard deviations one's ranks are off what chance gives (no ties in times)."""
    ranked = sorted(chain(((value, 0) for value in one), ((value, 1) for value in other)))
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, start=1) if which == 0)
    n, m = len(one), len(other)
    return (ranks - n * (n + m + 1) / 2) / sqrt(n * m * (n + m + 1) / 12)


def median_error(one: list[float], other: list[float]) -> float:
    """The standard error of the difference of two medians, from each sample's own median deviation."""
    spreads = [1.4826 * median(abs(value - median(each)) for value in each) for each in (one, other)]
    return sqrt(sum(1.2533**2 * spread**2 / len(one) for spread in spreads))


@pytest.mark.parametrize("ask", [log_in, ask_for_link])
def test_answers_take_as_long_for_an_address_nobody_has(account: User, ask: Callable[[APIClient, str], Any]) -> None:
    emails = (account.email, "nobody.has.this@example.test")
    for email in emails:
        ask(APIClient(), email)
    same_time(*times(ask, repeat(emails, TRIES), APIClient()))


def test_inviting_takes_as_long_for_an_address_nobody_has(practice: Practice, settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False
    owner = client_for("owner", practice)
    with platform_scope(actor=BY):
        users = User.objects.bulk_create(User(email=f"has{n}@example.test", password="!") for n in range(INVITED))

    def invite(client: APIClient, email: str) -> Any:
        assert client.post("/api/v1/invitations", {"email": email, "roles": ["provider"]}).status_code == 201

    invite(owner, "first@example.test")
    same_time(*times(invite, [(each.email, f"not.{each.email}") for each in users], owner))


def same_time(one: list[float], other: list[float]) -> None:
    by_median, by_rank = (median(one) - median(other)) / median_error(one, other), rank_test(one, other)
    figures = f"medians {median(one):.2f} and {median(other):.2f} ms, {by_median:.1f} and {by_rank:.1f} deviations"
    assert max(abs(by_median), abs(by_rank)) < CHANCE, figures


def test_answers_are_alike_and_ask_the_database_as_much(account: User) -> None:
    def attempt(email: str) -> tuple[Any, ...]:
        with CaptureQueriesContext(connection) as queries:
            response = log_in(APIClient(), email)
        headers = {name: value for name, value in response.headers.items() if name != "X-Request-ID"}
        body = {name: value for name, value in response.json().items() if name != "request_id"}
        return response.status_code, body, headers, len(queries)

    assert attempt(account.email) == attempt("nobody.has.this@example.test")
