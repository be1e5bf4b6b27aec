"""The life of a login: started with a password, carried on by refresh tokens, ended by its user or by a replay."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Least
from django.utils import timezone

from accounts import signals
from accounts.devices import device_name
from accounts.identity import Identity, identify
from accounts.models import Membership, RefreshSession, User
from accounts.second_factor import Proof, WrongCode
from accounts.tokens import RefreshClaims
from practices.models import Practice
from practices.tenancy import Actor, current_scope, identity_scope, own_rows, practice_scope

GRACE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, as far as a session and the audit log remember it."""

    request_id: str = ""
    ip: str | None = None
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """A living session and whose it is."""

    session: RefreshSession
    user: User
    practice: Practice
    roles: tuple[str, ...]


class SessionEnded(Exception):
    """The refresh token's session can't be carried on: revoked, expired, replayed, or its member is out."""


def email_hash(email: str) -> str:
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()[:16]


def memberships_of(user: User) -> QuerySet[Membership]:
    """The user's living memberships in open practices, each with its practice. Call it in any scope of that user."""
    return (
        own_rows(Membership)
        .filter(user=user, status=Membership.Status.ACTIVE, practice__status=Practice.Status.ACTIVE)
        .select_related("practice")
        .order_by("practice__name", "practice_id")
    )


def practices_open_to(user: User, origin: Origin) -> list[Membership]:
    """The same, for a moment at which no practice is chosen yet."""
    with identity_scope(user.pk, request_id=origin.request_id, ip=origin.ip):
        return list(memberships_of(user))


def had_second_factor(user: User, session_id: UUID, origin: Origin) -> bool:
    """Whether the user's session has shown it."""
    with identity_scope(user.pk, request_id=origin.request_id, ip=origin.ip):
        return own_rows(RefreshSession).filter(pk=session_id, user=user, second_factor=True).exists()


def start_session(
    *, membership: Membership, by: User, origin: Origin, proof: Proof | None = None, proven: bool = False
) -> Login:
    """Logs a member in, in a transaction of its own in the membership's practice.

    `proof` is of the second factor and is used up here; `proven` takes over what the caller's present session has
    shown. Raises WrongCode when somebody else has used the proof meanwhile.
    """
    now = timezone.now()
    roles = tuple(membership.roles)
    actor = Actor.user(by.pk, roles, str(by))
    with practice_scope(membership.practice, actor=actor, request_id=origin.request_id, ip=origin.ip):
        if proof is not None and not proof.use():
            raise WrongCode
        session = RefreshSession.objects.create(
            user=by,
            token_version=by.token_version,
            second_factor=proof is not None or proven,
            rotated_at=now,
            expires_at=now + min(settings.REFRESH_TOKEN_LIFETIME, settings.SESSION_LIFETIME),
            user_agent=origin.user_agent[:300],
            device=device_name(origin.user_agent),
            ip=origin.ip,
        )
        QuerySet(User).filter(pk=by.pk).update(last_login=now)  # unannounced: logging in is an event of its own
        signals.logged_in.send(RefreshSession, session=session, user=by, roles=roles)
    return Login(session, by, membership.practice, roles)


def carry_on(claims: RefreshClaims, *, origin: Origin) -> Login:
    """Makes the session's next generation, or gives the present one again within the grace.

    An older token means that somebody holds a copy: the session is revoked, and that is committed before
    SessionEnded is raised. Of parallel calls with one token exactly one rotates; the others find its successor.
    """
    actor = Actor.user(claims.user_id)
    with practice_scope(claims.practice_id, actor=actor, request_id=origin.request_id, ip=origin.ip) as scope:
        login = _carry_on(claims, origin.ip)
        if login is not None:
            scope.actor = Actor.user(login.user.pk, login.roles, str(login.user))
    if login is None:
        raise SessionEnded
    return login


def _carry_on(claims: RefreshClaims, ip: str | None) -> Login | None:
    now = timezone.now()
    alive = RefreshSession.objects.filter(
        pk=claims.session_id, user_id=claims.user_id, revoked_at=None, expires_at__gt=now
    )
    rotated = alive.filter(generation=claims.generation).update(
        generation=F("generation") + 1,
        rotated_at=now,
        expires_at=Least(now + settings.REFRESH_TOKEN_LIFETIME, F("created_at") + settings.SESSION_LIFETIME),
        ip=ip,
    )
    session = alive.select_related("practice").first()
    if session is None:
        return None
    in_grace = claims.generation == session.generation - 1 and now - session.rotated_at <= GRACE
    if not rotated and not in_grace:
        _revoke_replayed(session)
        return None
    identity = _identity_of(session)
    return None if identity is None else Login(session, identity.user, session.practice, identity.roles)


def _identity_of(session: RefreshSession) -> Identity | None:
    return identify(
        practice_id=session.practice_id,
        user_id=session.user_id,
        session_id=session.pk,
        token_version=session.token_version,
    )


def _revoke_replayed(session: RefreshSession) -> None:
    session.revoked_at = timezone.now()
    session.save(update_fields=["revoked_at", "updated_at"])
    signals.token_replayed.send(RefreshSession, session=session)


def revoke_sessions(
    *, user_id: UUID, only: UUID | None = None, but: UUID | None = None, everywhere: bool = False
) -> int:
    """Ends the user's living sessions in the active practice (or one of them); returns how many."""
    sessions = RefreshSession.objects.filter(user_id=user_id, revoked_at=None)
    if only is not None:
        sessions = sessions.filter(pk=only)
    ids = [pk for pk in sessions.values_list("pk", flat=True) if pk != but]
    return _revoke(ids, user_id=user_id, everywhere=everywhere)


def _revoke(ids: Iterable[UUID], *, user_id: UUID, everywhere: bool) -> int:
    ids = list(ids)
    revoked: int = RefreshSession.objects.filter(pk__in=ids).update(revoked_at=timezone.now()) if ids else 0
    if ids or everywhere:
        signals.logged_out.send(RefreshSession, user_id=user_id, sessions=ids, everywhere=everywhere)
    return revoked


def log_out(claims: RefreshClaims, *, origin: Origin) -> None:
    """Ends the session a refresh token belongs to, whichever generation it is; does nothing when it has ended."""
    actor = Actor.user(claims.user_id)
    with practice_scope(claims.practice_id, actor=actor, request_id=origin.request_id, ip=origin.ip):
        revoke_sessions(user_id=claims.user_id, only=claims.session_id)


@transaction.atomic
def log_out_everywhere(*, by: User, but: UUID | None = None) -> None:
    """Ends every login of the user's: in all practices, by the token version they were made with, and in the admin.

    A page of the admin goes on after Django's `update_session_auth_hash(request, by)`. For `but` see below.
    """
    User.objects.filter(pk=by.pk).update(token_version=F("token_version") + 1)
    by.refresh_from_db(fields=["token_version"])
    scope = current_scope()
    if scope is not None and scope.practice_id is not None:
        revoke_sessions(user_id=by.pk, but=but, everywhere=True)


@transaction.atomic
def end_other_sessions(*, by: User, session_id: UUID) -> Login:
    """Ends every login of the user's but this session of the practice, which goes on with the answer's tokens only."""
    log_out_everywhere(by=by, but=session_id)
    session = (
        RefreshSession.objects.select_related("practice")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=session_id, user_id=by.pk)
    )
    session.token_version = by.token_version
    session.generation += 1
    session.rotated_at = timezone.now()
    session.save(update_fields=["token_version", "generation", "rotated_at", "updated_at"])
    scope = current_scope()
    return Login(session, by, session.practice, scope.actor.roles if scope else ())


@transaction.atomic
def replace_password(*, by: User, password: str) -> None:
    """For the admin's login, which is no session here: ends all of the API's, in every practice."""
    _set_password(by, password)
    log_out_everywhere(by=by)
    signals.password_changed.send(User, user=by)


@transaction.atomic
def change_password(*, by: User, password: str, session_id: UUID) -> Login:
    """Ends every other session; the present one goes on with new tokens. The caller has checked both passwords."""
    _set_password(by, password)
    login = end_other_sessions(by=by, session_id=session_id)
    signals.password_changed.send(User, user=by)
    return login


def _set_password(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password", "updated_at"])
