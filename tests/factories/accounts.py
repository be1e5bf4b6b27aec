"""Users, members and providers. All but users belong to the active scope's practice."""

from contextlib import nullcontext
from functools import cache
from typing import Any

from django.contrib.auth.hashers import make_password
from factory.declarations import LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory
from factory.faker import Faker

from accounts.models import Membership, ProviderProfile, User
from practices.models import Location, Resource
from practices.tenancy import Actor, current_scope, platform_scope

PASSWORD = "correct-horse-battery"


@cache
def hashed(password: str) -> str:
    """Hashing once is enough: it is slow on purpose."""
    return make_password(password)


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    email = Sequence(lambda n: f"user{n}@example.test")
    name = Faker("name")
    password = LazyFunction(lambda: hashed(PASSWORD))

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        """Somebody must be known to make the user: the platform, where no scope is open."""
        here = nullcontext() if current_scope() is not None else platform_scope(actor=Actor.system("tests"))
        with here:
            user: User = super()._create(model_class, *args, **kwargs)  # type: ignore[no-untyped-call]  # as the library has it
        return user


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    user = SubFactory(UserFactory)
    roles = LazyFunction(lambda: ["provider"])


class ProviderProfileFactory(DjangoModelFactory[ProviderProfile]):
    class Meta:
        model = ProviderProfile

    membership = SubFactory(MembershipFactory)
    display_name = Faker("name")


class LocationFactory(DjangoModelFactory[Location]):
    class Meta:
        model = Location

    name = Sequence(lambda n: f"Location {n}")


class ProviderResourceFactory(DjangoModelFactory[Resource]):
    """A provider as the calendar books them."""

    class Meta:
        model = Resource

    kind = "provider"
    provider = SubFactory(ProviderProfileFactory)
    name: Any = SelfAttribute("provider.display_name")
