"""Somebody who has an authenticator app, as if they had enrolled it a while ago."""

import time

from django.utils import timezone

from accounts import one_time_codes
from accounts.models import RecoveryCode, TotpDevice, User
from accounts.second_factor import SECRET
from practices.tenancy import identity_scope

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
RECOVERY = "abcd-efgh-ijkl-mnop-qrst-uvwx"


def enrol(user: User) -> TotpDevice:
    """With one recovery code."""
    with identity_scope(user.pk):
        RecoveryCode.objects.create(user=user, digest=one_time_codes.recovery_digest(RECOVERY))
        return TotpDevice.objects.create(
            user=user, secret=SECRET.seal(user.pk, TOTP_SECRET), confirmed_at=timezone.now()
        )


def code_now(secret: str = TOTP_SECRET, *, steps: int = 0) -> str:
    """What the app shows, or showed so many steps ago (negative), or will show."""
    return one_time_codes.code_at(secret, time.time() + steps * one_time_codes.STEP_SECONDS)
