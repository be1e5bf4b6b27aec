"""What users are told by mail about their own login."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts.models import RefreshSession, User
from accounts.sessions import GRACE
from accounts.tokens import refresh_token
from integrations.errors import RetryableVendorError
from integrations.tasks import MAX_ATTEMPTS
from practices.models import Practice
from practices.tenancy import Actor, platform_scope, practice_scope
from tests.admin.pages import admin_client
from tests.clients import MemberClient, client_for
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.second_factor import code_now, enrol
from tests.integrations.counterparts.sendgrid import SendGridCounterpart
from tests.integrations.counterparts.server import Response
from tests.integrations.jobs import queued_notices, send_notices

BY = Actor.system("tests")

pytestmark = pytest.mark.django_db


def replay(client: MemberClient, practice: Practice) -> int:
    """Uses the login's first refresh token once more, long after its successor was given."""
    old = refresh_token(client.login_session)
    with practice_scope(practice, actor=BY):
        RefreshSession.objects.filter(pk=client.login_session.pk).update(
            generation=2, rotated_at=timezone.now() - GRACE - timedelta(seconds=1), device="Firefox", ip="203.0.113.9"
        )
    body = {"grant_type": "refresh_token", "refresh_token": old}
    return APIClient().post("/api/v1/auth/token", body, format="json").status_code


def test_replayed_token_is_told_to_its_user(practice: Practice, sendgrid: SendGridCounterpart) -> None:
    client = client_for("provider", practice)
    assert replay(client, practice) == 401
    ids = {"practice_id": str(practice.pk), "session_id": str(client.login_session.pk)}
    assert queued_notices() == [{"notice": "token-replayed", "user_id": str(client.user.pk), **ids}]
    send_notices()
    (mail,) = sendgrid.accepted
    assert mail["personalizations"][0]["to"] == [{"email": client.user.email}]
    text = mail["content"][0]["value"]
    assert all(each in text for each in (client.user.name, "Alder Clinic", "Firefox", "203.0.113.9"))


def test_token_in_its_grace_is_told_to_nobody(practice: Practice) -> None:
    client = client_for("provider", practice)
    body = {"grant_type": "refresh_token", "refresh_token": refresh_token(client.login_session)}
    for _ in range(2):
        assert APIClient().post("/api/v1/auth/token", body, format="json").status_code == 200
    assert queued_notices() == []


def test_changed_password_is_told_and_a_refused_change_is_not(
    practice: Practice, sendgrid: SendGridCounterpart
) -> None:
    client = client_for("provider", practice)
    for old, status in ((PASSWORD + "x", 403), (PASSWORD, 200)):
        body = {"current_password": old, "new_password": "another-fine-password"}
        assert client.post("/api/v1/auth/password/change", body).status_code == status
    send_notices()
    assert [mail["subject"] for mail in sendgrid.accepted] == ["Your password was changed"]


def test_changes_of_the_second_factor_are_told(
    practice: Practice, sendgrid: SendGridCounterpart, settings: Settings
) -> None:
    settings.RATELIMIT_ENABLE = False
    client = client_for("provider", practice)
    mfa = "/api/v1/auth/mfa"
    secret = client.post(f"{mfa}/totp", {"password": PASSWORD}).json()["secret"]
    assert queued_notices() == []
    enrolled = client.post(f"{mfa}/totp/confirm", {"otp": code_now(secret, steps=-1)}).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {enrolled['access_token']}")
    assert client.post(f"{mfa}/recovery-codes", {"password": PASSWORD, "otp": "000000"}).status_code == 403
    codes = client.post(f"{mfa}/recovery-codes", {"password": PASSWORD, "otp": code_now(secret)}).json()
    login = {"grant_type": "password", "username": client.user.email, "password": PASSWORD}
    assert APIClient().post("/api/v1/auth/token", {**login, "otp": codes["recovery_codes"][0]}).status_code == 200
    proof = {"password": PASSWORD, "otp": code_now(secret, steps=1)}
    assert client.delete(f"{mfa}/totp", proof).status_code == 200
    send_notices()
    assert [mail["subject"] for mail in sendgrid.accepted] == [
        "An authenticator app was set up",
        "You have new recovery codes",
        "A recovery code was used",
        "Your authenticator app was removed",
    ]


def test_what_a_superuser_changed_is_told(practice: Practice) -> None:
    user = client_for("provider", practice).user
    enrol(user)
    root = admin_client(UserFactory.create(is_superuser=True), None)
    root.post(f"/admin/accounts/user/{user.pk}/do/remove-second-factor/")
    form = {"email": user.email, "name": user.name, "is_active": "on", "new_password": "a-long-and-rare-one"}
    assert root.post(f"/admin/accounts/user/{user.pk}/change/", form).status_code == 302
    assert [each["notice"] for each in queued_notices()] == ["second-factor-removed", "password-changed"]
    assert User.objects.get(pk=user.pk).check_password("a-long-and-rare-one")


def test_who_was_deactivated_meanwhile_is_told_nothing(practice: Practice, sendgrid: SendGridCounterpart) -> None:
    client = client_for("provider", practice)
    replay(client, practice)
    with platform_scope(actor=BY):
        User.objects.filter(pk=client.user.pk).update(is_active=False)
    send_notices()
    assert sendgrid.accepted == []


def test_outage_of_the_vendor_is_waited_out_until_the_last_attempt(
    practice: Practice, sendgrid: SendGridCounterpart
) -> None:
    replay(client_for("provider", practice), practice)
    sendgrid.answer_next += [Response(503), Response(503)]
    with pytest.raises(RetryableVendorError):
        send_notices()
    send_notices(attempts=MAX_ATTEMPTS - 1)
    assert sendgrid.accepted == []
    send_notices()
    assert len(sendgrid.accepted) == 1


def test_notice_the_vendor_refuses_is_given_up(practice: Practice, sendgrid: SendGridCounterpart) -> None:
    replay(client_for("provider", practice), practice)
    sendgrid.answer_next.append(Response(400, {"errors": [{"message": "no", "field": "from"}]}))
    send_notices()
    assert sendgrid.accepted == []


def test_mailed_link_leads_to_our_page_whatever_host_was_asked(
    practice: Practice, sendgrid: SendGridCounterpart, settings: Settings
) -> None:
    settings.PASSWORD_RESET_URL = "https://app.alder.test/reset"
    settings.ALLOWED_HOSTS = ["*"]
    user = client_for("provider", practice).user
    evil = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "Origin": "https://evil.test"}
    path = "/api/v1/auth/password/reset"
    assert APIClient().post(path, {"email": user.email}, headers=evil).status_code == 204
    assert queued_notices() == [{"notice": "password-reset", "user_id": str(user.pk)}]
    send_notices()
    (mail,) = sendgrid.accepted
    assert mail["personalizations"][0]["to"] == [{"email": user.email}]
    text = mail["content"][0]["value"]
    assert "evil" not in text
    (link,) = [line for line in text.splitlines() if line.startswith("https://")]
    page, _, token = link.partition("#")
    assert page == "https://app.alder.test/reset"
    body = {"token": token, "new_password": "a-rather-rare-sentence"}
    assert APIClient().post(f"{path}/confirm", body).status_code == 204


def test_link_asked_for_an_address_nobody_has_is_mailed_to_nobody(sendgrid: SendGridCounterpart) -> None:
    assert APIClient().post("/api/v1/auth/password/reset", {"email": "nobody@example.test"}).status_code == 204
    assert [each["notice"] for each in queued_notices()] == ["password-reset"]
    send_notices()
    assert sendgrid.accepted == []
