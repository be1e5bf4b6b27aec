"""A user's second factor, proven at login: a code of their authenticator app, or a recovery code.

All of it runs in a scope of that user: any practice's, or an identity scope.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from accounts import one_time_codes, signals
from accounts.models import RecoveryCode, TotpDevice, User
from config.api.problem import Conflict

SECRET = TotpDevice._meta.get_field("secret")


class NotEnrolled(Conflict):
    code = "mfa_not_active"
    default_detail = "No authenticator app is being set up, or none is in use."


class WrongCode(Exception):
    """The code is wrong, too old, or was used before."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A code that is right and was not used yet. It proves something once `use` said so."""

    user_id: UUID
    step: int = 0
    recovery_code: UUID | None = None

    def use(self) -> bool:
        """Of those who come with one code at the same time, one hears True."""
        if self.recovery_code is None:
            devices = TotpDevice.objects.filter(user_id=self.user_id, last_step__lt=self.step)
            return bool(devices.exclude(confirmed_at=None).update(last_step=self.step))
        codes = RecoveryCode.objects.filter(pk=self.recovery_code, user_id=self.user_id, used_at=None)
        used = bool(codes.update(used_at=timezone.now()))
        if used:
            signals.second_factor_changed.send(User, user_id=self.user_id, change="recovery code used")
        return used


@dataclass(frozen=True, slots=True)
class Status:
    active: bool
    recovery_codes_left: int


def device_of(user: User) -> TotpDevice | None:
    """The app in use; None for a user who has none, or only began to enrol it."""
    return TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).first()


def status_of(user: User) -> Status:
    left = RecoveryCode.objects.filter(user=user, used_at=None).count()
    return Status(device_of(user) is not None, left)


def prove(device: TotpDevice, code: str, *, at: float | None = None) -> Proof:
    """Raises WrongCode. Nothing is used up yet: who is asked for something else first keeps the code."""
    code = re.sub(r"\s", "", code)
    step = one_time_codes.matching_step(SECRET.open(device), code, after=device.last_step, at=at)
    if step is not None:
        return Proof(device.user_id, step=step)
    digest = one_time_codes.recovery_digest(code)
    codes = RecoveryCode.objects.filter(user_id=device.user_id, digest=digest, used_at=None)
    found = codes.values_list("pk", flat=True).first()
    if found is None:
        raise WrongCode
    return Proof(device.user_id, recovery_code=found)


def use_code(user: User, code: str) -> None:
    """Proves and uses at once. Raises WrongCode, or NotEnrolled."""
    device = device_of(user)
    if device is None:
        raise NotEnrolled
    if not prove(device, code).use():
        raise WrongCode
