"""API clients that are logged in: a real session and a real access token, without paying for a password hash."""

from datetime import timedelta

from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import Membership, RefreshSession, User
from practices.models import Practice
from practices.tenancy import Actor, identity_scope, own_rows, practice_scope
from tests.factories.accounts import MembershipFactory, UserFactory


class MemberClient(APIClient):
    """`user` and `login_session` say who is logged in, and how."""

    user: User
    login_session: RefreshSession


def session_for(user: User, practice: Practice, kind: str = "api") -> RefreshSession:
    now = timezone.now()
    with practice_scope(practice, actor=Actor.system("tests")):
        session: RefreshSession = RefreshSession.objects.create(
            kind=kind,
            user=user,
            token_version=user.token_version,
            rotated_at=now,
            expires_at=now + timedelta(days=1),
        )
        return session


def client_of(user: User, practice: Practice) -> MemberClient:
    """Logged in as this member of the practice."""
    session = session_for(user, practice)
    client = MemberClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access_token(session)}")
    client.user, client.login_session = user, session
    return client


def client_for(role: str | list[str], practice: Practice) -> MemberClient:
    """Logged in as a new member of the practice with this role or these roles."""
    roles = [role] if isinstance(role, str) else role
    user = UserFactory.create()
    with practice_scope(practice, actor=Actor.system("tests")):
        MembershipFactory.create(user=user, roles=roles)
    return client_of(user, practice)


def membership_of(user: User, practice: Practice) -> Membership:
    with identity_scope(user.pk):
        return own_rows(Membership).get(user=user, practice=practice)
