"""Enrolling an authenticator app over HTTP, and logging in with it."""

from __future__ import annotations

import threading
from base64 import b64encode
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts.models import RecoveryCode, RefreshSession, TotpDevice, User
from accounts.second_factor import SECRET
from audit.models import AuditEvent
from practices.encryption import EncryptedValueMisplaced, EncryptedValueUnreadable
from practices.models import Practice
from practices.tenancy import Actor, identity_scope, platform_scope, practice_scope
from tests.accounts.test_tokens import log_in, me, member
from tests.clients import MemberClient, client_for, client_of
from tests.factories.accounts import PASSWORD
from tests.factories.second_factor import RECOVERY, TOTP_SECRET, code_now, enrol
from tests.integrations.jobs import record_login_failures

MFA = "/api/v1/auth/mfa"
TOTP = f"{MFA}/totp"
CONFIRM = f"{TOTP}/confirm"
RENEW = f"{MFA}/recovery-codes"
BY = Actor.system("tests")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _unlimited(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False


@pytest.fixture
def limited(_unlimited: None, settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = True


@pytest.fixture
def client(practice: Practice) -> MemberClient:
    return client_for("provider", practice)


@pytest.fixture
def enrolled(client: MemberClient) -> MemberClient:
    enrol(client.user)
    return client


def refusal(response: Any) -> tuple[int, str, list[str]]:
    problem = response.json()
    return response.status_code, problem["code"], [error["pointer"] for error in problem["errors"]]


def device_of(user: User) -> TotpDevice:
    with identity_scope(user.pk):
        return TotpDevice.objects.get(user=user)


def changes(practice: Practice, user: User) -> list[Any]:
    with practice_scope(practice, actor=BY):
        events = AuditEvent.objects.filter(entity="accounts.user", entity_id=user.pk, action="update").order_by("at")
        return [event.changes["second_factor"][1] for event in events if "second_factor" in event.changes]


# --- Enrolling --------------------------------------------------------------------------------------


def test_enrolling_asks_for_a_code_from_then_on(client: MemberClient, practice: Practice) -> None:
    elsewhere = log_in(client.user).json()
    begun = client.post(TOTP, {"password": PASSWORD}).json()
    assert begun["provisioning_uri"].startswith("otpauth://totp/")
    assert log_in(client.user).status_code == 200  # nothing has changed yet
    assert client.get(MFA).json() == {"active": False, "recovery_codes_left": 0}
    answer = client.post(CONFIRM, {"otp": code_now(begun["secret"])}).json()
    assert len(answer["recovery_codes"]) == 10
    assert [me(tokens["access_token"]).status_code for tokens in (answer, elsewhere)] == [200, 401]
    assert refusal(log_in(client.user)) == (401, "otp_required", [])
    assert log_in(client.user, otp=code_now(begun["secret"], steps=1)).status_code == 200
    assert changes(practice, client.user) == ["enrolled"]
    with practice_scope(practice, actor=BY):
        assert RefreshSession.objects.get(pk=client.login_session.pk).second_factor


def test_enrolling_shows_its_secret_once_and_keeps_it_encrypted(client: MemberClient, practice: Practice) -> None:
    first = client.post(TOTP, {"password": PASSWORD}).json()["secret"]
    second = client.post(TOTP, {"password": PASSWORD}).json()["secret"]
    assert refusal(client.post(CONFIRM, {"otp": code_now(first)}))[:2] == (403, "invalid_credentials")
    codes = client.post(CONFIRM, {"otp": code_now(second)}).json()["recovery_codes"]
    device = device_of(client.user)
    assert SECRET.open(device) == second
    assert second not in device.secret
    with identity_scope(client.user.pk):
        digests = set(RecoveryCode.objects.values_list("digest", flat=True))
    assert not digests & {code.replace("-", "") for code in codes}


def test_enrolling_with_a_wrong_password_begins_nothing(client: MemberClient) -> None:
    assert refusal(client.post(TOTP, {"password": "x"})) == (403, "invalid_credentials", ["/password"])
    assert refusal(client.post(CONFIRM, {"otp": code_now()})) == (409, "mfa_not_active", [])


def test_enrolling_twice_is_refused(enrolled: MemberClient) -> None:
    assert refusal(enrolled.post(TOTP, {"password": PASSWORD})) == (409, "mfa_already_active", [])
    assert refusal(enrolled.post(CONFIRM, {"otp": code_now()})) == (409, "mfa_not_active", [])


@pytest.mark.parametrize(("method", "path"), [("post", TOTP), ("post", CONFIRM), ("delete", TOTP), ("post", RENEW)])
def test_bodies_are_strict_and_tokens_needed(client: MemberClient, method: str, path: str) -> None:
    nobody = getattr(APIClient(), method)(path, {"password": PASSWORD, "otp": "1"})
    assert refusal(nobody)[:2] == (401, "not_authenticated")
    assert refusal(getattr(client, method)(path, {}))[:2] == (400, "validation_error")
    body = {"password": PASSWORD, "otp": code_now(), "practice": "x"}
    assert "/practice" in refusal(getattr(client, method)(path, body))[2]


def test_codes_are_limited_like_passwords(client: MemberClient, limited: None) -> None:
    client.post(TOTP, {"password": PASSWORD})
    answers = [client.post(CONFIRM, {"otp": "000000"}).status_code for _ in range(5)]
    assert answers == [403] * 4 + [429]


# --- Logging in -------------------------------------------------------------------------------------


def test_wrong_password_is_refused_before_a_code_is_asked_for(enrolled: MemberClient) -> None:
    without, with_code = log_in(enrolled.user, password="wrong"), log_in(enrolled.user, password="wrong", otp="1")
    assert refusal(without) == refusal(with_code) == (401, "invalid_credentials", [])


@pytest.mark.parametrize("otp", ["000000", "", "abcd-efgh-ijkl-mnop-qrst-uvw2", "😀", "0" * 64, " "])
def test_wrong_code_is_refused(enrolled: MemberClient, otp: str) -> None:
    status, code, _ = refusal(log_in(enrolled.user, otp=otp))
    assert (status, code) in {(401, "invalid_credentials"), (401, "otp_required"), (400, "validation_error")}


def test_wrong_code_is_in_the_log_as_a_failed_login(enrolled: MemberClient, practice: Practice) -> None:
    assert refusal(log_in(enrolled.user, otp="000000")) == (401, "invalid_credentials", ["/otp"])
    record_login_failures()
    with practice_scope(practice, actor=BY):
        [event] = AuditEvent.objects.filter(action="login-failed")
    assert (event.entity_id, event.reason) == (enrolled.user.pk, "invalid_otp")


def test_forms_of_oauth2_send_the_code_as_the_clients_secret(enrolled: MemberClient) -> None:
    """As Swagger's Authorize does: in the header unless it is told to use the body."""
    form = {"grant_type": "password", "username": enrolled.user.email, "password": PASSWORD}

    def header(text: str) -> dict[str, str]:
        return {"Authorization": f"Basic {b64encode(text.encode()).decode()}"}

    url = "/api/v1/auth/token"
    assert refusal(APIClient().post(url, {**form, "client_secret": "00000"}))[1] == "otp_required"
    assert refusal(APIClient().post(url, form, headers=header("id:")))[1] == "otp_required"
    assert refusal(APIClient().post(url, form, headers={"Authorization": "Basic \u00e9=="}))[1] == "otp_required"
    assert refusal(APIClient().post(url, form, headers=header(":000000")))[1] == "invalid_credentials"
    assert APIClient().post(url, form, headers=header(f":{code_now()}")).status_code == 200
    assert APIClient().post(url, {**form, "client_secret": code_now(steps=1)}).status_code == 200


def test_code_works_once(enrolled: MemberClient) -> None:
    code = code_now()
    assert [log_in(enrolled.user, otp=code).status_code for _ in range(2)] == [200, 401]
    assert log_in(enrolled.user, otp=code_now(steps=-1)).status_code == 401
    assert log_in(enrolled.user, otp=code_now(steps=1)).status_code == 200


def test_recovery_code_works_once(enrolled: MemberClient, practice: Practice) -> None:
    assert [log_in(enrolled.user, otp=RECOVERY.upper()).status_code for _ in range(2)] == [200, 401]
    assert client_of(enrolled.user, practice).get(MFA).json() == {"active": True, "recovery_codes_left": 0}
    assert changes(practice, enrolled.user) == ["recovery code used"]


def test_recovery_code_of_somebody_else_is_worth_nothing(enrolled: MemberClient, practice: Practice) -> None:
    other = member(practice)
    enrol(other)
    with identity_scope(other.pk):
        RecoveryCode.objects.update(digest="0" * 64)
    assert log_in(other, otp=RECOVERY).status_code == 401


def test_code_is_kept_for_who_has_to_name_a_practice_first(practice: Practice, other_practice: Practice) -> None:
    user = member(other_practice, user=member(practice))
    enrol(user)
    code = code_now()
    assert refusal(log_in(user))[1] == "otp_required"  # the practices are not told before the code
    assert refusal(log_in(user, otp="000000"))[1] == "invalid_credentials"
    assert refusal(log_in(user, otp=code))[1] == "practice_required"
    assert log_in(user, otp=code, practice="birch").status_code == 200
    assert log_in(user, otp=code, practice="alder").status_code == 401


def test_codes_guessed_at_login_hit_the_limit(enrolled: MemberClient, limited: None) -> None:
    assert [log_in(enrolled.user, otp="000000").status_code for _ in range(6)] == [401] * 5 + [429]
    assert log_in(enrolled.user, otp=code_now()).status_code == 429


def test_new_password_is_no_way_around_the_code(enrolled: MemberClient) -> None:
    body = {"current_password": PASSWORD, "new_password": "another-long-one-7"}
    assert enrolled.post("/api/v1/auth/password/change", body).status_code == 200
    assert refusal(log_in(enrolled.user, password="another-long-one-7"))[1] == "otp_required"


def test_code_of_a_user_without_an_app_is_ignored(client: MemberClient) -> None:
    assert log_in(client.user, otp="000000").status_code == 200


def test_switching_practice_keeps_what_was_proven(practice: Practice, other_practice: Practice) -> None:
    user = member(other_practice, user=member(practice))
    enrol(user)
    proven = log_in(user, otp=code_now(), practice="alder").json()["access_token"]
    for token, expected in ((proven, True), (None, False)):
        client = client_of(user, practice)
        if token:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        assert client.post("/api/v1/auth/switch-practice", {"practice": "birch"}).status_code == 200
        with practice_scope(other_practice, actor=BY):
            assert RefreshSession.objects.latest("created_at").second_factor is expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("recovery", [False, True])
def test_one_code_lets_one_of_many_in(practice: Practice, recovery: bool) -> None:
    user = member(practice)
    enrol(user)
    code, start, statuses = RECOVERY if recovery else code_now(), threading.Barrier(5), []

    def attempt() -> None:
        start.wait()
        try:
            statuses.append(log_in(user, otp=code).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 401, 401, 401, 401]


# --- Removing, renewing -----------------------------------------------------------------------------


def test_removing_takes_password_and_code_and_ends_other_logins(enrolled: MemberClient, practice: Practice) -> None:
    elsewhere = client_of(enrolled.user, practice)
    wrong_code = enrolled.delete(TOTP, {"password": PASSWORD, "otp": "000000"})
    assert refusal(wrong_code) == (403, "invalid_credentials", ["/otp"])
    wrong_password = enrolled.delete(TOTP, {"password": "x", "otp": code_now()})
    assert refusal(wrong_password) == (403, "invalid_credentials", ["/password"])
    removed = enrolled.delete(TOTP, {"password": PASSWORD, "otp": code_now()})
    assert me(removed.json()["access_token"]).status_code == 200
    assert elsewhere.get(MFA).status_code == 401
    assert log_in(enrolled.user).status_code == 200
    assert changes(practice, enrolled.user) == ["removed"]
    with identity_scope(enrolled.user.pk):
        assert (TotpDevice.objects.count(), RecoveryCode.objects.count()) == (0, 0)


def test_removing_what_is_not_there_is_refused(client: MemberClient) -> None:
    answer = client.delete(TOTP, {"password": PASSWORD, "otp": code_now()})
    assert refusal(answer) == (409, "mfa_not_active", [])


def test_renewed_recovery_codes_void_the_old_ones(enrolled: MemberClient, practice: Practice) -> None:
    answer = enrolled.post(RENEW, {"password": PASSWORD, "otp": code_now()})
    codes = answer.json()["recovery_codes"]
    assert enrolled.get(MFA).json() == {"active": True, "recovery_codes_left": 10}
    assert log_in(enrolled.user, otp=RECOVERY).status_code == 401
    assert log_in(enrolled.user, otp=codes[9]).status_code == 200
    assert changes(practice, enrolled.user) == ["recovery codes renewed", "recovery code used"]


# --- Kept apart -------------------------------------------------------------------------------------


def test_device_is_seen_in_its_users_scopes_and_on_the_platform_only(enrolled: MemberClient) -> None:
    def seen() -> tuple[int, int]:
        return TotpDevice.objects.count(), RecoveryCode.objects.count()

    assert seen() == (0, 0)
    with identity_scope(uuid4()):
        assert seen() == (0, 0)
        assert TotpDevice.objects.update(last_step=5) == 0
    with identity_scope(enrolled.user.pk):
        assert seen() == (1, 1)
    with platform_scope(actor=BY):
        assert seen() == (1, 1)


def test_secret_moved_to_somebody_else_is_refused(enrolled: MemberClient, practice: Practice) -> None:
    device = device_of(enrolled.user)
    device.user = member(practice)
    with pytest.raises(EncryptedValueMisplaced):
        SECRET.open(device)
    device.secret = "x"
    with pytest.raises(EncryptedValueUnreadable):
        SECRET.open(device)
    assert SECRET.seal(enrolled.user.pk, TOTP_SECRET) != SECRET.seal(enrolled.user.pk, TOTP_SECRET)
