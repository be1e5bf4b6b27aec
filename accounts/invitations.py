"""Inviting an address into the practice. Whether it belongs to a user already is asked only when it is accepted."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts import signals
from accounts.backends import check_credentials
from accounts.identity import living_membership
from accounts.models import Invitation, Membership, User
from accounts.roles import Access, Area, Role, allowed
from accounts.sessions import Origin
from config.api.problem import Conflict, FieldError, Forbidden, NotAuthenticated, Problem, ValidationProblem
from practices.bound_secrets import digest, new_secret, practice_named_by
from practices.models import Practice
from practices.tenancy import ANONYMOUS, Actor, identity_scope, practice_scope

Status = Invitation.Status


class BadInvitation(Problem):
    """Unknown, used, revoked or expired: one answer for all, which tells a guesser nothing."""

    code = "invitation_invalid"
    default_detail = "This invitation is not valid (any more); ask for a new one."


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the invited person sends. `caller` is who is logged in while accepting, if anybody is."""

    token: str
    name: str = ""
    password: str = ""
    caller: User | None = None


@transaction.atomic
def invite(*, email: str, roles: Collection[Role | str], by: Actor) -> Invitation:
    """The mail is queued in the same transaction. Raises Forbidden for who may not give these roles, Conflict when
    the address is a member's or has an invitation that is still good; one that has expired is replaced.
    """
    chosen, address = [role.value for role in Role if role in roles], email.strip().lower()
    _refuse_giving(chosen, by)
    if Membership.objects.filter(user__email=address).exists():
        raise Conflict("This address belongs to a member already.", code="already_member")
    earlier = Invitation.objects.open().filter(email=address).select_for_update().first()
    if earlier is not None:
        if earlier.status == Status.PENDING:
            raise Conflict("This address is invited already; send that invitation again.", code="already_invited")
        _end(earlier)
    invitation: Invitation = Invitation.objects.create(
        email=address,
        roles=chosen,
        expires_at=timezone.now() + settings.INVITATION_LIFETIME,
        invited_by_id=by.id if by.kind == "user" else None,
    )
    signals.invitation_made.send(Invitation, invitation=invitation)
    return invitation


@transaction.atomic
def resend(*, invitation: UUID, by: Actor) -> Invitation:
    """A new mail with a new link, from now on for the whole time; the old link is dead. It is `by`'s from now on."""
    row = _locked_open(invitation, by)
    row.secret_hash, row.sent_at = "", None
    row.expires_at = timezone.now() + settings.INVITATION_LIFETIME
    row.invited_by_id = by.id if by.kind == "user" else None
    row.save(update_fields=["secret_hash", "sent_at", "expires_at", "invited_by", "updated_at"])
    signals.invitation_made.send(Invitation, invitation=row)
    return row


@transaction.atomic
def revoke(*, invitation: UUID, by: Actor) -> Invitation:
    row = _locked_open(invitation, by)
    _end(row)
    return row


@transaction.atomic
def new_token(invitation: UUID) -> tuple[Invitation, str] | None:
    """For the mail that is about to be sent: the invitation and its token, the only good one from now on.

    None when it is no longer good. Call it in the practice's scope.
    """
    row = Invitation.objects.open().filter(pk=invitation).select_for_update().first()
    if row is None or row.status != Status.PENDING or not _still_backed(row):
        return None
    token = new_secret(row.practice_id)
    row.secret_hash = digest(token)
    row.save(update_fields=["secret_hash", "updated_at"])
    return row, token


def accept(acceptance: Acceptance, *, origin: Origin) -> Membership:
    """Makes the invited address a member; a user of it who doesn't exist yet is made. Call it outside any scope.

    Raises BadInvitation, ValidationProblem for a password that is too weak, NotAuthenticated for a wrong one, Forbidden
    for somebody else's invitation. User and membership are one transaction, in which the user is nobody's but the
    platform's to see: the practice's log reads the same whether the user is new.
    """
    practice_id = practice_named_by(acceptance.token)
    if practice_id is None:
        raise BadInvitation
    with practice_scope(practice_id, actor=ANONYMOUS, request_id=origin.request_id, ip=origin.ip):
        email = _good(acceptance.token).email
    user = _proven(email, acceptance)
    with identity_scope(user.pk, request_id=origin.request_id, ip=origin.ip):
        if user._state.adding:
            user.save(force_insert=True)
        actor = Actor.user(user.pk, label=str(user))
        with practice_scope(practice_id, actor=actor, request_id=origin.request_id, ip=origin.ip):
            return _join(acceptance.token, user)


def _proven(email: str, acceptance: Acceptance) -> User:
    """The user of the address, who showed to be them; or a new one, not saved yet."""
    if acceptance.caller is not None and not acceptance.password:
        if acceptance.caller.email != email:
            raise Forbidden("This invitation is for another address.")
        return acceptance.caller
    if not acceptance.password:
        raise ValidationProblem.of([FieldError("/password", "required", "This field is required.")])
    if User.objects.filter(email=email).exists():
        user = check_credentials(email, acceptance.password)
        if user is None:
            raise NotAuthenticated("The password is wrong.", code="invalid_credentials")
        return user
    return _new_user(email, acceptance)


def _new_user(email: str, acceptance: Acceptance) -> User:
    user = User(email=email, name=acceptance.name)
    try:
        validate_password(acceptance.password, user)
    except ValidationError as exc:
        errors = [FieldError("/password", each.code or "invalid", " ".join(each.messages)) for each in exc.error_list]
        raise ValidationProblem.of(errors) from exc
    user.set_password(acceptance.password)
    user._password = None  # or saving would tell the password validators of a change
    return user


def _good(token: str, *, lock: bool = False) -> Invitation:
    """The pending invitation of this token, made by somebody who may still make it."""
    rows = Invitation.objects.open().filter(secret_hash=digest(token), practice__status=Practice.Status.ACTIVE)
    rows = rows.select_related("practice")
    if lock:
        rows = rows.select_for_update(of=("self",))
    invitation: Invitation | None = rows.first()
    if invitation is None or invitation.status != Status.PENDING or not _still_backed(invitation):
        raise BadInvitation
    return invitation


def _still_backed(invitation: Invitation) -> bool:
    if invitation.invited_by_id is None:
        return True
    member = living_membership(practice_id=invitation.practice_id, user_id=invitation.invited_by_id)
    return member is not None and _may_give(invitation.roles, member.roles)


def _join(token: str, user: User) -> Membership:
    invitation = _good(token, lock=True)
    if Membership.objects.filter(user=user).exists():
        raise Conflict("You are a member of this practice already.", code="already_member")
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at", "updated_at"])
    membership: Membership = Membership.objects.create(user=user, practice=invitation.practice, roles=invitation.roles)
    return membership


def _locked_open(invitation: UUID, by: Actor) -> Invitation:
    row: Invitation = Invitation.objects.select_for_update().get(pk=invitation)
    _refuse_giving(row.roles, by)
    if row.accepted_at or row.revoked_at:
        raise Conflict(f"This invitation is {row.status}.", code="invalid_transition", allowed_transitions=[])
    return row


def _end(invitation: Invitation) -> None:
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at", "updated_at"])


def _may_give(roles: Collection[str], giver: Collection[str]) -> bool:
    return allowed(giver, Area.MEMBERS, Access.WRITE) and (Role.OWNER not in roles or Role.OWNER in giver)


def _refuse_giving(roles: Collection[str], by: Actor) -> None:
    if by.kind == "user" and not _may_give(roles, by.roles):
        raise Forbidden("Only an owner may invite owners.")
