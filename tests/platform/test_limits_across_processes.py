"""A limit is one number for all web processes together."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from accounts.tokens import access_token
from practices.models import Practice
from tests.clients import client_for
from tests.integrations.live import LiveServer

LIMIT = 40

pytestmark = [pytest.mark.machinery, pytest.mark.django_db(transaction=True)]


def test_two_servers_let_exactly_the_limit_pass(practice: Practice) -> None:
    headers = {"Authorization": f"Bearer {access_token(client_for('owner', practice).login_session)}"}
    environment = {"RATE_LIMIT_USER": f"{LIMIT}/h"}
    with LiveServer(environment) as one, LiveServer(environment) as two, ThreadPoolExecutor(8) as threads:
        urls = [f"http://{server.host}/api/v1/locations" for server in (one, two)] * LIMIT
        answers = list(threads.map(lambda url: httpx.get(url, headers=headers, timeout=30), urls))
    assert Counter(answer.status_code for answer in answers) == {200: LIMIT, 429: LIMIT}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code == 429)
