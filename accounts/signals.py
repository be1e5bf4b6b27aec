"""What happens to logins, for whoever keeps a record. Passwords and unknown email addresses never appear in them."""

from django.dispatch import Signal

logged_in = Signal()
"""sender=RefreshSession, session, user, roles. Inside the practice's scope, in the session's own transaction.

The admin sends it when somebody chooses a practice: sender=Membership, session=None; in a platform scope and without
roles for a superuser who goes back there. Logging in to the admin is Django's `user_logged_in`."""

login_failed = Signal()
"""sender=User, email_hash: first 16 hex digits of the SHA-256 of the lower-cased address, user_id: UUID or None when no
such user exists, reason: str, request. Outside any transaction."""

logged_out = Signal()
"""sender=RefreshSession, user_id, sessions: list of revoked ids, everywhere: bool. Inside the practice's scope."""

token_replayed = Signal()
"""sender=RefreshSession, session: just revoked, because an old refresh token of it was used. In its scope."""

password_reset_requested = Signal()
"""sender=User, user_id: of an active user, or of nobody when no such user exists; whoever listens treats both alike.
In a transaction, outside any scope."""

second_factor_changed = Signal()
"""sender=User, user_id, change: "enrolled", "removed", "recovery codes renewed" or "recovery code used". Inside a scope
of the user, in the transaction of the change."""

password_changed = Signal()
"""sender=User, user. In a scope of the user's, of a practice or of none; every other session has ended."""

invitation_made = Signal()
"""sender=Invitation, invitation: made, or to be sent again. Inside the practice's scope and the transaction that makes
it; its mail gets its token from `accounts.invitations.new_token`."""
