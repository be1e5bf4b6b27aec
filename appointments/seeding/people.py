"""The demo's users, their memberships and provider profiles. Run again, it finds them."""

from dataclasses import dataclass

from accounts.models import Membership, ProviderProfile, User
from practices.models import Practice, Resource

# login -> (name, roles, specialty of those who see patients)
STAFF: dict[str, tuple[str, list[str], str]] = {
    "owner": ("Olivia Hart", ["owner"], ""),
    "admin": ("Adrian Cole", ["admin"], ""),
    "provider": ("Dr Priya Raman", ["provider"], "Family medicine"),
    "provider2": ("Dr Samuel Brandt", ["provider"], "Internal medicine"),
    "assistant": ("Ana Lima", ["assistant"], ""),
    "frontdesk": ("Felix Moreau", ["front_desk"], ""),
    "biller": ("Beth Osei", ["biller"], ""),
    "auditor": ("Audrey Novak", ["auditor"], ""),
}
MULTI = ("multi@demo.test", "Dr Mina Sato", ["provider"], "Dermatology")
ROOT = ("root@demo.test", "Platform operator")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The logins' password, hashed once: that is slow on purpose. With `reset`, existing users get it too."""

    hashed: str
    reset: bool


def seed_users(practice: Practice, credentials: Credentials) -> list[Resource]:
    """The practice's staff, inside its scope. Returns the providers' calendars in a fixed order."""
    calendars = []
    for login, (name, roles, specialty) in STAFF.items():
        membership = _member(f"{login}@{practice.slug}.test", name, roles, credentials)
        if specialty:
            calendars.append(_calendar(membership, name, specialty))
    email, name, roles, specialty = MULTI
    calendars.append(_calendar(_member(email, name, roles, credentials), name, specialty))
    return calendars


def seed_root(credentials: Credentials) -> None:
    email, name = ROOT
    ensure_user(email, name, credentials, is_superuser=True)


def ensure_user(email: str, name: str, credentials: Credentials, *, is_superuser: bool = False) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User(email=email, name=name, is_superuser=is_superuser, password=credentials.hashed)
        user.save(force_insert=True)
    elif credentials.reset:
        user.password = credentials.hashed
        user.save(update_fields=["password", "updated_at"])
    return user


def _member(email: str, name: str, roles: list[str], credentials: Credentials) -> Membership:
    user = ensure_user(email, name, credentials)
    membership: Membership | None = Membership.objects.filter(user=user).first()
    if membership is None:
        membership = Membership(user=user, roles=roles)
        membership.save(force_insert=True)
    return membership


def _calendar(membership: Membership, name: str, specialty: str) -> Resource:
    profile = ProviderProfile.objects.filter(membership=membership).first()
    if profile is None:
        profile = ProviderProfile.objects.create(membership=membership, display_name=name, specialty=specialty)
    calendar: Resource | None = Resource.objects.filter(provider=profile).first()
    if calendar is None:
        calendar = Resource(kind=Resource.Kind.PROVIDER, name=name, provider=profile)
        calendar.save(force_insert=True)
    return calendar
