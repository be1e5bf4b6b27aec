"""An invitation's way from the queue to the mail provider."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts import invitations
from accounts.models import Invitation
from accounts.services import suspend
from integrations.errors import RetryableVendorError
from integrations.tasks import MAX_ATTEMPTS, send_invitation
from practices.bound_secrets import digest, practice_named_by
from practices.models import Practice
from practices.tenancy import Actor
from tests.factories.accounts import MembershipFactory
from tests.integrations.counterparts.sendgrid import SendGridCounterpart
from tests.integrations.counterparts.server import Response

BY = Actor.system("tests")

pytestmark = pytest.mark.django_db


def invite(by: Actor = BY) -> Invitation:
    return invitations.invite(email="New@Example.test", roles=["provider", "front_desk"], by=by)


def send(attempts: int = 0) -> None:
    """The newest job, after so many earlier attempts."""
    context: Any = SimpleNamespace(job=SimpleNamespace(attempts=attempts))
    send_invitation(context, **ProcrastinateJob.objects.filter(task_name=send_invitation.name).latest("id").args)


def token_in(mail: dict[str, Any]) -> str:
    text: str = mail["content"][0]["value"]
    (line,) = [each for each in text.splitlines() if "#" in each]
    return line.partition("#")[2]


def test_mail_carries_the_only_copy_of_the_token(in_practice: Practice, sendgrid: SendGridCounterpart) -> None:
    made = invite()
    (job,) = ProcrastinateJob.objects.all()
    assert job.args == {"practice_id": str(in_practice.pk), "invitation_id": str(made.pk)}
    send()
    (mail,) = sendgrid.accepted
    assert mail["personalizations"][0]["to"] == [{"email": "new@example.test"}]
    assert mail["subject"] == "Alder Clinic invites you"
    assert "as: Provider, Front Desk" in mail["content"][0]["value"]
    assert f"\n{settings.INVITATION_URL}#" in mail["content"][0]["value"]
    token = token_in(mail)
    made.refresh_from_db()
    assert (practice_named_by(token), made.secret_hash) == (in_practice.pk, digest(token))
    assert made.sent_at is not None


def test_mail_is_queued_only_with_its_invitation(in_practice: Practice) -> None:
    with pytest.raises(ZeroDivisionError):
        _invite_and_fail()
    assert (Invitation.objects.count(), ProcrastinateJob.objects.count()) == (0, 0)


def _invite_and_fail() -> None:
    with transaction.atomic():
        invite()
        _ = 1 / 0


def test_each_attempt_and_each_resending_makes_a_new_link(in_practice: Practice, sendgrid: SendGridCounterpart) -> None:
    made = invite()
    send()
    invitations.resend(invitation=made.pk, by=BY)
    made.refresh_from_db()
    assert (made.secret_hash, made.sent_at) == ("", None)
    send()
    first, second = (token_in(mail) for mail in sendgrid.accepted)
    made.refresh_from_db()
    assert first != second
    assert made.secret_hash == digest(second)


def test_nothing_is_sent_for_what_was_revoked_or_whose_inviter_is_out(
    in_practice: Practice, sendgrid: SendGridCounterpart
) -> None:
    admin = MembershipFactory.create(roles=["admin"])
    made = invite(Actor.user(admin.user_id, ("admin",)))
    suspend(member=admin.pk, by=BY)
    send()
    invitations.revoke(invitation=made.pk, by=BY)
    send()
    assert sendgrid.accepted == []


def test_outage_is_waited_out_until_the_last_attempt(in_practice: Practice, sendgrid: SendGridCounterpart) -> None:
    made = invite()
    sendgrid.answer_next += [Response(503, {"errors": [{"message": "service unavailable"}]})] * 2
    with pytest.raises(RetryableVendorError):
        send()
    send(MAX_ATTEMPTS - 1)
    made.refresh_from_db()
    assert (made.sent_at, sendgrid.accepted) == (None, [])
