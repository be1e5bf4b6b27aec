"""Who belongs to a practice, and as what. All but opening one runs inside the practice's scope."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import Membership, ProviderProfile, User
from accounts.roles import Role, raises
from accounts.sessions import revoke_sessions
from config.api.problem import Conflict, FieldError, Forbidden, ValidationProblem
from practices.models import Practice, Resource
from practices.services import create_practice
from practices.tenancy import Actor, practice_scope


class LastOwner(Conflict):
    """The practice would be left without an active owner."""

    code = "last_owner"
    default_detail = "A practice keeps at least one active owner; make somebody else owner first."


def open_practice(*, owner: User, by: Actor, sees_patients: bool = False, **fields: str) -> Practice:
    """A new tenant with its first owner, who can then run it. Call it outside any practice's scope.

    An owner who treats patients is told here: later nobody, an only owner included, raises their own roles.
    """
    practice = create_practice(by=by, **fields)
    with practice_scope(practice, actor=by):
        Membership.objects.create(user=owner, roles=[Role.OWNER, *([Role.PROVIDER] if sees_patients else [])])
    return practice


@transaction.atomic
def change_roles(*, member: UUID, roles: Collection[Role | str], by: Actor) -> Membership:
    """Raises Forbidden when an owner is touched or made by anybody else, or somebody's own roles are raised;
    LastOwner; Membership.DoesNotExist.
    """
    membership = _locked(member)
    chosen = [role.value for role in Role if role in roles]
    _refuse_touching_owners(membership, by, gives=chosen)
    if membership.user_id == by.id and raises(chosen, above=membership.roles):
        raise Forbidden("Nobody raises their own roles; ask another owner or admin.")
    if Role.OWNER not in chosen:
        _keep_an_owner(without=membership)
    membership.roles = chosen
    membership.save(update_fields=["roles"])
    return membership


@transaction.atomic
def suspend(*, member: UUID, by: Actor) -> Membership:
    """Ends the member's sessions here too, so that being reactivated does not bring old tokens back to life."""
    membership = _locked(member)
    _refuse_touching_owners(membership, by)
    _require_status(membership, Membership.Status.ACTIVE)
    _keep_an_owner(without=membership)
    membership.status = Membership.Status.SUSPENDED
    membership.save(update_fields=["status"])
    revoke_sessions(user_id=membership.user_id)
    return membership


@transaction.atomic
def reactivate(*, member: UUID, by: Actor) -> Membership:
    membership = _locked(member)
    _refuse_touching_owners(membership, by)
    _require_status(membership, Membership.Status.SUSPENDED)
    membership.status = Membership.Status.ACTIVE
    membership.save(update_fields=["status"])
    return membership


@transaction.atomic
def remove(*, member: UUID, by: Actor) -> None:
    """The user keeps their login, and what they wrote here keeps their name. Raises Forbidden, LastOwner, or Conflict
    for who has a provider's profile: visits are booked with it.
    """
    membership = _locked(member)
    _refuse_touching_owners(membership, by)
    _keep_an_owner(without=membership)
    if membership.provider_profiles.exists():
        raise Conflict("Visits refer to this member's provider profile; suspend the member.", code="member_in_use")
    revoke_sessions(user_id=membership.user_id)
    membership.delete()


@transaction.atomic
def create_provider(*, membership: Membership, display_name: str, by: Actor, **fields: Any) -> ProviderProfile:
    """The profile, and the calendar that visits are booked in. Raises ValidationProblem for who is no provider."""
    if Role.PROVIDER not in membership.roles:
        raise ValidationProblem.of(
            [FieldError("/membership", "not_a_provider", "This member does not have the provider role.")]
        )
    profile: ProviderProfile = ProviderProfile.objects.create(
        membership=membership, display_name=display_name, **fields
    )
    Resource.objects.create(
        kind=Resource.Kind.PROVIDER, name=profile.display_name, provider=profile, active=profile.active
    )
    return profile


@transaction.atomic
def update_provider(*, profile: ProviderProfile, by: Actor, **fields: Any) -> ProviderProfile:
    """The calendar follows the profile's name and whether it is active."""
    for name, value in fields.items():
        setattr(profile, name, value)
    profile.save()
    if {"display_name", "active"} & set(fields):
        for calendar in Resource.objects.select_for_update().filter(provider=profile):
            calendar.name, calendar.active = profile.display_name, profile.active
            calendar.save(update_fields=["name", "active"])
    return profile


@transaction.atomic
def delete_provider(*, profile: ProviderProfile, by: Actor) -> None:
    """For one without any history: raises ProtectedError once visits refer to it; make it inactive then."""
    for calendar in Resource.objects.filter(provider=profile):
        calendar.delete()
    profile.delete()


def lock_with_owners(*, member: UUID) -> Membership | None:
    """The member, locked together with every active owner in one order, so that two owners can't remove each other."""
    owners = Q(roles__contains=[Role.OWNER], status=Membership.Status.ACTIVE)
    rows: QuerySet[Membership] = Membership.objects.filter(owners | Q(pk=member))
    locked = {row.pk: row for row in rows.order_by("id").select_for_update(no_key=True)}
    return locked.get(member)


def _locked(member: UUID) -> Membership:
    membership = lock_with_owners(member=member)
    if membership is None:
        raise Membership.DoesNotExist
    return membership


def _keep_an_owner(*, without: Membership) -> None:
    """Call it with the owners locked. One whose login is deactivated doesn't count."""
    owners = Membership.objects.filter(
        roles__contains=[Role.OWNER], status=Membership.Status.ACTIVE, user__is_active=True
    )
    counts = Role.OWNER in without.roles and without.status == Membership.Status.ACTIVE
    if counts and not owners.exclude(pk=without.pk).exists():
        raise LastOwner


def _refuse_touching_owners(membership: Membership, by: Actor, *, gives: Collection[str] = ()) -> None:
    is_or_becomes_owner = Role.OWNER in {*membership.roles, *gives}
    if by.kind == "user" and is_or_becomes_owner and Role.OWNER not in by.roles:
        raise Forbidden("Only an owner may change owners.")


def _require_status(membership: Membership, status: Membership.Status) -> None:
    if membership.status != status:
        raise Conflict(f"This member is {membership.status}.", code="invalid_transition", allowed_transitions=[])
