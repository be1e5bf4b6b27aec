"""Who a token stands for, and whether they may still come in: one statement, asked as every request opens its scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Subquery

from accounts.models import Membership, RefreshSession, User
from accounts.tokens import AccessClaims, TokenError, access_claims
from config.postgres.base import Statement
from practices.models import Practice, PracticePolicy

_USER_COLUMNS = ("id", "email", "name", "is_active", "is_superuser", "token_version")
_ALIVE = "SELECT * FROM accounts_identity(%s, %s, %s, %s)"
"""A row only if session, user, membership and practice are all alive; made by a migration."""


@dataclass(frozen=True, slots=True)
class Identity:
    user: User
    membership_id: UUID
    roles: tuple[str, ...]
    must_enrol: bool
    """Nothing but their own account is open to them, until they have set up a second factor."""


def question(claims: AccessClaims) -> Statement:
    """What to ask as the scope opens in which these claims are to hold."""
    return _ALIVE, (claims.session_id, claims.user_id, claims.practice_id, claims.token_version)


def question_of_token(payload: Mapping[str, Any]) -> Statement | None:
    """The same for a token's verified payload; None when it names no session."""
    try:
        return question(access_claims(dict(payload)))
    except TokenError:
        return None


def answer(row: tuple[Any, ...] | None) -> Identity | None:
    """None unless session, user, membership and practice are all alive."""
    if row is None:
        return None
    *columns, membership_id, roles, must_enrol = row
    user = User.from_db(connection.alias, _USER_COLUMNS, columns)
    return Identity(user, membership_id, tuple(roles), must_enrol)


def identify(*, practice_id: UUID, user_id: UUID, session_id: UUID, token_version: int) -> Identity | None:
    """The same, asked by itself. Call it inside the practice's scope."""
    with connection.cursor() as cursor:
        cursor.execute(*question(AccessClaims(user_id, practice_id, session_id, token_version)))
        return answer(cursor.fetchone())


def living_membership(*, practice_id: UUID, user_id: UUID, login: UUID | None = None) -> Membership | None:
    """With its practice, for who has no token; None unless user, member, practice live.

    Its `login_seen_at` is when the admin's `login` was last used; None when that was revoked or is none of the user's.
    """
    living = RefreshSession.objects.filter(pk=login, user_id=user_id, kind=RefreshSession.Kind.ADMIN, revoked_at=None)
    membership: Membership | None = (
        Membership.objects.filter(practice_id=practice_id, user_id=user_id, status=Membership.Status.ACTIVE)
        .filter(user__is_active=True, practice__status=Practice.Status.ACTIVE)
        .annotate(
            needs_second_factor=Exists(PracticePolicy.objects.filter(mfa_required_roles__overlap=OuterRef("roles"))),
            login_seen_at=Subquery(living.values("rotated_at")),
        )
        .select_related("practice")
        .first()
    )
    return membership
