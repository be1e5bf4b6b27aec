"""A login to the admin ends after 15 minutes without a click, and after 12 hours whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session

from accounts.admin_session import BEGAN, SEEN, WRITTEN_EVERY_SECONDS
from audit.models import AuditEvent
from practices.models import Location, Practice
from practices.tenancy import practice_scope
from tests.admin.pages import AdminClient, staff, url
from tests.rows import SETUP

MINUTE = 60


def age(client: AdminClient, **seconds: int) -> None:
    """As if the session had begun, or been used last, so long ago."""
    session = client.session
    for name, past in seconds.items():
        session[name] -= past
    session.save()


@pytest.fixture
def client(practice: Practice) -> AdminClient:
    return staff("owner", practice)


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [({SEEN: 15 * MINUTE}, "nothing happened"), ({BEGAN: 12 * 60 * MINUTE}, "it is long since")],
)
def test_login_that_is_over_is_ended_on_the_server(
    client: AdminClient, practice: Practice, seconds: dict[str, int], reason: str
) -> None:
    key = client.session.session_key
    age(client, **seconds)
    asked = client.get("/admin/patients/patient/")
    assert asked.headers["Location"] == "/admin/login/?next=/admin/patients/patient/"
    assert reason in client.get(asked.headers["Location"]).content.decode()
    assert reason not in client.get(asked.headers["Location"]).content.decode()
    assert not Session.objects.filter(pk=key).exists()
    with practice_scope(practice, actor=SETUP):
        assert AuditEvent.objects.filter(action="logout", actor_id=client.user.pk).count() == 1


@pytest.mark.parametrize("value", [None, "9", 0])
def test_session_that_does_not_say_when_it_began_is_over(client: AdminClient, value: Any) -> None:
    session = client.session
    session[BEGAN] = value
    session.save()
    assert client.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"


def test_form_sent_too_late_changes_nothing(client: AdminClient, practice: Practice) -> None:
    age(client, seen_at=15 * MINUTE)
    sent = client.post(url(Location, "add"), {"name": "Too late"})
    assert sent.headers["Location"].startswith("/admin/login/")
    with practice_scope(practice, actor=SETUP):
        assert not Location.objects.exists()


def test_choosing_a_practice_too_late_leads_to_the_login(client: AdminClient, practice: Practice) -> None:
    age(client, seen_at=15 * MINUTE)
    assert client.post("/admin/practice/", {"practice": str(practice.pk)}).headers["Location"] == "/admin/login/"


def test_login_in_use_goes_on(client: AdminClient) -> None:
    for _ in range(3):
        age(client, seen_at=15 * MINUTE - 2)
        assert client.get("/admin/").status_code == 200
    seen = client.session[SEEN] - WRITTEN_EVERY_SECONDS + 5
    age(client, seen_at=WRITTEN_EVERY_SECONDS - 5)
    assert client.get("/admin/").status_code == 200
    assert client.session[SEEN] == seen  # not written for every click
