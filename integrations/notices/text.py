"""The wording. Nothing in it but what the reader did or has to do: no patients, no other users."""

from django.db import models


class Notice(models.TextChoices):
    TOKEN_REPLAYED = "token-replayed"  # noqa: S105  # the name of a notice
    PASSWORD_RESET = "password-reset"  # noqa: S105  # as above
    PASSWORD_CHANGED = "password-changed"  # noqa: S105  # as above
    SECOND_FACTOR_ENROLLED = "second-factor-enrolled"
    SECOND_FACTOR_REMOVED = "second-factor-removed"
    RECOVERY_CODES_RENEWED = "second-factor-recovery-codes-renewed"
    RECOVERY_CODE_USED = "second-factor-recovery-code-used"
    ACCESS_GRANTED = "access-granted"


_NOT_YOU = "If this was not you, choose a new password now and tell your practice's administrator."
TEXTS: dict[str, tuple[str, str]] = {
    Notice.TOKEN_REPLAYED: (
        "We ended one of your logins",
        "Hello {name},\n\n"
        "an old key to your login at {practice} was used again. Somebody may have a copy of it, so we ended that login"
        " for everybody who held one: {device}, last used from {ip}.\n\n"
        "You can log in again with your password. " + _NOT_YOU + "\n",
    ),
    Notice.PASSWORD_RESET: (
        "Choose a new password",
        "Hello {name},\n\n"
        "somebody asked for a new password for your login, we hope it was you. Choose one here, within 30 minutes:\n\n"
        "{link}\n\n"
        "If it was not you, do nothing: without this link nothing changes.\n",
    ),
    Notice.PASSWORD_CHANGED: (
        "Your password was changed",
        "Hello {name},\n\nyour password was changed, and all your other logins were ended.\n\n" + _NOT_YOU + "\n",
    ),
    Notice.SECOND_FACTOR_ENROLLED: (
        "An authenticator app was set up",
        "Hello {name},\n\n"
        "from now on logging in asks for a code of the authenticator app that was just set up for your login. All your"
        " other logins were ended.\n\n" + _NOT_YOU + "\n",
    ),
    Notice.SECOND_FACTOR_REMOVED: (
        "Your authenticator app was removed",
        "Hello {name},\n\n"
        "logging in no longer asks for a code: your authenticator app and its recovery codes were removed, and all your"
        " other logins were ended.\n\n" + _NOT_YOU + "\n",
    ),
    Notice.RECOVERY_CODES_RENEWED: (
        "You have new recovery codes",
        "Hello {name},\n\nten new recovery codes were made for your login. The old ones are void.\n\n"
        + _NOT_YOU
        + "\n",
    ),
    Notice.RECOVERY_CODE_USED: (
        "A recovery code was used",
        "Hello {name},\n\n"
        "one of your recovery codes was used in place of a code of your authenticator app. It can't be used again.\n\n"
        + _NOT_YOU
        + "\n",
    ),
    Notice.ACCESS_GRANTED: (
        "Somebody opened a restricted chart",
        "Hello {name},\n\n"
        "somebody at {practice} who has no standing access to a restricted chart gave a reason and their password, and"
        " can see it for an hour. Who it was and why is here, to be reviewed:\n\n"
        "{link}\n",
    ),
}
"""Notice -> subject and body."""
