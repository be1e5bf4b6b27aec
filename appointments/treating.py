"""Whom a provider treats: who has visits with them. A way into the charts of those who are restricted."""

from django.db.models import Exists, OuterRef

from appointments.models import Appointment
from appointments.transitions import Status
from patients import access
from practices.tenancy import Actor

NOT_TREATED = (Status.PROPOSED, Status.WAITLIST, Status.CANCELLED, Status.ENTERED_IN_ERROR)
"""Nobody has seen the patient for these, or is about to."""


def connect() -> None:
    if treats not in access.ways_in:
        access.ways_in.append(treats)


def treats(actor: Actor) -> Exists:
    visits = Appointment.objects.filter(patient=OuterRef("pk"), provider__membership__user_id=actor.id)
    return Exists(visits.exclude(status__in=NOT_TREATED))
