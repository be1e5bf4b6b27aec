"""Keys for programs: made with scopes out of the role table, and never worth more than their maker's present roles."""

import secrets
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import ApiKey, Membership
from accounts.roles import Access, Area, Grant, ScopedRole, grant
from accounts.second_factor import device_of
from config.api.problem import FieldError, ValidationProblem
from practices.bound_secrets import digest, key_parts, new_key
from practices.models import Practice, PracticePolicy
from practices.tenancy import Actor, practice_scope

NEVER = frozenset({Area.MEMBERS, Area.API_KEYS, Area.KEYS, Area.BREAK_GLASS, Area.PLATFORM})
"""What a key can't be made for: what decides who comes in and what goes out, and what asks for a password."""
SCOPES = [f"{area}:{level.name.lower()}" for area in Area if area not in NEVER for level in Access if level]
PREFIX_CHARACTERS = "abcdefghijkmnpqrstuvwxyz23456789"
USE_IS_NOTED_EVERY = timedelta(minutes=1)


@transaction.atomic
def create_key(*, name: str, scopes: Collection[str], expires_at: datetime, by: Actor) -> tuple[ApiKey, str]:
    """The key's row, and the key, which nobody can be shown again. `by` is a member of the active practice.

    Raises ValidationProblem for scopes that `by` doesn't have, and for an end that is past or too far away.
    """
    errors = [*_refused_scopes(scopes, by), *_refused_end(expires_at)]
    if errors:
        raise ValidationProblem.of(errors)
    member = Membership.objects.get(user_id=by.id)
    prefix = "".join(secrets.choice(PREFIX_CHARACTERS) for _ in range(8))
    key = new_key(prefix, member.practice_id)
    row: ApiKey = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        secret_hash=digest(key),
        scopes=sorted(set(scopes), key=SCOPES.index),
        member=member,
        expires_at=expires_at,
    )
    return row, key


@transaction.atomic
def revoke_key(*, key: UUID, by: Actor) -> ApiKey:
    """The next request with it is refused. Revoking again changes nothing."""
    row: ApiKey = ApiKey.objects.select_for_update().get(pk=key)
    if row.revoked_at is None:
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at", "updated_at"])
    return row


def living_key(text: str) -> ApiKey | None:
    """The key with its member and their user, while all of them and the practice are alive. In the practice's scope."""
    parts = key_parts(text)
    if parts is None:
        return None
    row: ApiKey | None = (
        ApiKey.objects.filter(prefix=parts.prefix, revoked_at=None, expires_at__gt=timezone.now())
        .filter(member__status=Membership.Status.ACTIVE, member__user__is_active=True)
        .filter(practice__status=Practice.Status.ACTIVE)
        .annotate(
            policy_asks=Exists(PracticePolicy.objects.filter(mfa_required_roles__overlap=OuterRef("member__roles")))
        )
        .select_related("member__user")
        .first()
    )
    return row if row is not None and constant_time_compare(row.secret_hash, digest(text)) else None


def must_enrol(key: ApiKey) -> bool:
    """Whether the maker has to set up a second factor first, as their own logins do. One that `living_key` found.

    The device is only shown to scopes of its user: three statements more where it is asked for at all.
    """
    user = key.member.user
    if not (user.is_superuser or key.policy_asks):  # type: ignore[attr-defined]  # annotated
        return False
    with practice_scope(key.practice_id, actor=Actor.user(user.pk)):
        return device_of(user) is None


def role_of(key: ApiKey) -> ScopedRole:
    """What the key may do now: its scopes, as far as its maker's roles go today."""
    grants: dict[Area, Grant] = {}
    for scope in key.scopes:
        area, level = _parsed(scope)
        held, before = grant(key.member.roles, area), grants.get(area, Grant())
        others, own = max(before.others, min(level, held.others)), max(before.own, min(level, held.own))
        grants[area] = Grant(others, own)
    return ScopedRole(f"key:{key.prefix}", grants)


def note_use(key: ApiKey) -> None:
    """Once a minute: no event, and no waiting for another request that notes the same."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > USE_IS_NOTED_EVERY:
        rows: QuerySet[ApiKey] = QuerySet(ApiKey)  # unannounced: being used is no change of the key
        free = rows.filter(pk=key.pk).select_for_update(skip_locked=True, no_key=True).values("pk")
        rows.filter(pk__in=free).update(last_used_at=now)


def _parsed(scope: str) -> tuple[Area, Access]:
    area, _, level = scope.partition(":")
    return Area(area), Access[level.upper()]


def _refused_scopes(scopes: Collection[str], by: Actor) -> Iterable[FieldError]:
    for number, scope in enumerate(scopes):
        area, level = _parsed(scope)
        if grant(by.roles, area).own < level:
            yield FieldError(f"/scopes/{number}", "not_granted", "Your own roles don't allow this.")


def _refused_end(expires_at: datetime) -> Iterable[FieldError]:
    now = timezone.now()
    if not now < expires_at <= now + settings.API_KEY_MAX_LIFETIME:
        days = settings.API_KEY_MAX_LIFETIME.days
        yield FieldError("/expires_at", "invalid", f"Choose an instant within the next {days} days.")
