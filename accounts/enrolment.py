"""Setting up a user's second factor, and taking it away. The caller has checked the password, and a code where there is
one; whatever else the user is logged in to ends.

Runs in a scope of that user, as `accounts.second_factor` does.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import one_time_codes, signals
from accounts.models import RecoveryCode, RefreshSession, TotpDevice, User
from accounts.second_factor import SECRET, NotEnrolled, WrongCode
from accounts.sessions import Login, end_other_sessions, log_out_everywhere
from config.api.problem import Conflict


class AlreadyEnrolled(Conflict):
    code = "mfa_already_active"
    default_detail = "An authenticator app is set up already; remove it first."


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an app needs to know; it is told this once."""

    secret: str
    provisioning_uri: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """`login` is how a session of the API goes on; None for the admin, which has none."""

    recovery_codes: list[str]
    login: Login | None


@transaction.atomic
def start_enrolment(*, by: User) -> Enrolment:
    """A new secret in place of one that was never confirmed. Raises AlreadyEnrolled."""
    device = TotpDevice.objects.select_for_update().filter(user=by).first() or TotpDevice(user=by)
    if device.confirmed_at is not None:
        raise AlreadyEnrolled
    secret = one_time_codes.new_secret()
    device.secret = SECRET.seal(by.pk, secret)
    device.save()
    return Enrolment(secret, one_time_codes.provisioning_uri(secret, by.email))


def begun(*, by: User) -> Enrolment:
    """The enrolment that waits for its first code, to be shown again. Raises NotEnrolled."""
    device = TotpDevice.objects.filter(user=by, confirmed_at=None).first()
    if device is None:
        raise NotEnrolled
    secret = SECRET.open(device)
    return Enrolment(secret, one_time_codes.provisioning_uri(secret, by.email))


@transaction.atomic
def confirm_enrolment(*, by: User, code: str, session_id: UUID | None = None) -> Enrolled:
    """From now on the app is asked for. Raises NotEnrolled (nothing was begun) or WrongCode."""
    device = TotpDevice.objects.select_for_update().filter(user=by, confirmed_at=None).first()
    if device is None:
        raise NotEnrolled
    step = one_time_codes.matching_step(SECRET.open(device), re.sub(r"\s", "", code), after=device.last_step)
    if step is None:
        raise WrongCode
    device.last_step, device.confirmed_at = step, timezone.now()
    device.save(update_fields=["last_step", "confirmed_at"])
    codes = _replace_recovery_codes(by)
    return Enrolled(codes, _changed(by, "enrolled", session_id=session_id, proven=True))


@transaction.atomic
def remove(*, by: User, session_id: UUID | None = None) -> Login | None:
    """Raises NotEnrolled."""
    if not TotpDevice.objects.filter(user=by).delete()[0]:
        raise NotEnrolled
    RecoveryCode.objects.filter(user=by).delete()
    return _changed(by, "removed", session_id=session_id, proven=False)


@transaction.atomic
def renew_recovery_codes(*, by: User) -> list[str]:
    """Ten new ones; the old ones are void."""
    codes = _replace_recovery_codes(by)
    signals.second_factor_changed.send(User, user_id=by.pk, change="recovery codes renewed")
    return codes


def _replace_recovery_codes(user: User) -> list[str]:
    codes = one_time_codes.new_recovery_codes()
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, digest=one_time_codes.recovery_digest(code)) for code in codes
    )
    return codes


def _changed(user: User, change: str, *, session_id: UUID | None, proven: bool) -> Login | None:
    signals.second_factor_changed.send(User, user_id=user.pk, change=change)
    if session_id is None:
        log_out_everywhere(by=user)
        return None
    RefreshSession.objects.filter(pk=session_id).update(second_factor=proven)
    return end_other_sessions(by=user, session_id=session_id)
