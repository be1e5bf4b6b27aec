"""The wording. Nothing in it but what the reader did or has to do: no patients, no other users."""

from django.db import models


class Notice(models.TextChoices):
    TOKEN_REPLAYED = "token-replayed"  # noqa: S105  # the name of a notice
    PASSWORD_RESET = "password-reset"  # noqa: S105  # as above
    PASSWORD_CHANGED = "password-changed"  # noqa: S105  # as above


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
}
"""Notice -> subject and body."""
