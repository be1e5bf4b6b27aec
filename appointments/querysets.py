from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q

from appointments.transitions import Status
from practices.querysets import TenantManager, TenantQuerySet


class AppointmentQuerySet(TenantQuerySet[Any]):
    def with_people(self) -> "AppointmentQuerySet":
        """With patient and provider, which every representation of an appointment names: no query per row."""
        return self.select_related("patient", "provider")

    def expired_holds(self, now: datetime) -> "AppointmentQuerySet":
        return self.filter(status=Status.PENDING, hold_expires_at__lte=now)

    def expired_alone(self, now: datetime) -> "AppointmentQuerySet":
        """Expired holds whose time nobody else has a seat in, so that it is free."""
        return self.expired_holds(now).filter(Q(group=None) | Q(group__taken=1))


class GroupVisitQuerySet(TenantQuerySet[Any]):
    def with_seat(self, now: datetime) -> "GroupVisitQuerySet":
        """Groups that somebody is in and that one more may join; the seat of an expired hold is free."""
        expired = Q(appointments__status=Status.PENDING, appointments__hold_expires_at__lte=now)
        rows = self.annotate(staying=F("taken") - Count("appointments", filter=expired))
        with_seat: GroupVisitQuerySet = rows.filter(staying__gte=1, staying__lt=F("seats"))
        return with_seat


class WaitlistQuerySet(TenantQuerySet[Any]):
    def waiting(self) -> "WaitlistQuerySet":
        return self.filter(status="waiting")

    def for_place(self, provider: UUID, location: UUID) -> "WaitlistQuerySet":
        """Who would come there, to this provider."""
        anyone, anywhere = Q(provider=None), Q(location=None)
        return self.filter(anyone | Q(provider=provider), anywhere | Q(location=location))

    def within(self, first: date, last: date) -> "WaitlistQuerySet":
        """Who would come on some day from `first` to `last`."""
        return self.filter(Q(latest_date=None) | Q(latest_date__gte=first), earliest_date__lte=last)


class WaitlistManager(TenantManager.from_queryset(WaitlistQuerySet)):  # type: ignore[misc]  # made at run time
    """Django's manager of the above."""


class GroupVisitManager(TenantManager.from_queryset(GroupVisitQuerySet)):  # type: ignore[misc]  # made at run time
    """Django's manager of the above."""


class AppointmentManager(TenantManager.from_queryset(AppointmentQuerySet)):  # type: ignore[misc]  # made at run time
    """Django's manager of the above."""
