"""schemathesis walks the contract: answers are as it says, what it forbids is refused, and nothing is a 5xx."""

import os
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django.fixtures import Settings
from schemathesis.core.transport import Response
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from accounts.roles import Role
from config.api.docs import openapi
from practices.models import Practice
from tests.clients import MemberClient, client_for

if not os.environ.get("CI"):
    pytest.skip("Takes minutes; the CI runs it, and so does `CI=1 make test`.", allow_module_level=True)

pytestmark = pytest.mark.machinery
EXAMPLES = 10

REFUSALS = [400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 428, 429]  # a stale If-Match is refused before the body

CHECKS = {"negative_data_rejection": {"expected-statuses": REFUSALS}}


def contract(**phases: Any) -> BaseSchema:
    return schemathesis.openapi.from_dict(
        openapi(), config=schemathesis.Config.from_dict({"checks": CHECKS, "phases": phases})
    )


everything = contract()
little = contract(coverage={"enabled": False})  # each limit of each field: for them the answer is nearly always 403


def member(role: str | list[str], practice: Practice, settings: Settings) -> MemberClient:
    settings.RATELIMIT_ENABLE = False
    client = client_for(role, practice)
    client.raise_request_exception = False
    return client


@pytest.fixture
def everyone(practice: Practice, settings: Settings) -> MemberClient:
    return member(list(Role.values), practice, settings)


@pytest.fixture
def biller(practice: Practice, settings: Settings) -> MemberClient:
    return member("biller", practice, settings)


def answer(client: MemberClient, case: Any) -> Response:
    """The case sent in this process and transaction, as the response schemathesis judges."""
    sent = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    url = urlsplit(sent.url or "")
    headers = {name: value for name, value in sent.headers.items() if name.lower() != "content-length"}
    headers.pop("Authorization", None)
    body: Any = sent.body or b""  # bytes, which the client takes and its stubs don't know
    received = client.generic(
        sent.method or "",
        f"{url.path}?{url.query}",
        body,
        str(headers.pop("Content-Type", "")),
        headers=headers,
    )
    return Response(
        status_code=received.status_code,
        headers={name: [value] for name, value in received.items()},
        content=received.content,
        request=sent,
        elapsed=0.0,
        verify=False,
    )


def judge(client: MemberClient, case: Any) -> None:
    """A request may be right by its form and name an object that doesn't exist: 400, so that check is left out. So is
    whether a made-up login is let in: each case is sent as the member; the role matrix and the token tests ask that.
    """
    case.validate_response(answer(client, case), excluded_checks=[positive_data_acceptance, ignored_auth])


SEARCH = hypothesis_settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@everything.parametrize()
@SEARCH
def test_operation_keeps_the_contract(case: Any, everyone: MemberClient) -> None:
    judge(everyone, case)


@little.parametrize()
@SEARCH
def test_operation_keeps_the_contract_to_who_may_do_little(case: Any, biller: MemberClient) -> None:
    judge(biller, case)
