"""What is ahead of a patient who has died: nothing."""

from django.utils import timezone

from appointments.models import Appointment, WaitlistEntry
from appointments.services import waitlist
from appointments.services.status import change_status
from appointments.transitions import Action, Status
from patients.models import Patient
from practices.tenancy import Actor

BY = Actor.system("deaths")
"""Whoever notes a death need not be somebody who may cancel each visit."""
REASON = "The patient has died."
_AHEAD = (Status.PROPOSED, Status.PENDING, Status.BOOKED, Status.WAITLIST)


def end_what_is_ahead(patient: Patient) -> None:
    """Visits to come are cancelled, which frees their times for others and tells nobody; wishes for some are withdrawn.

    If it was a mistake, each can be undone while its time is free.
    """
    entries = WaitlistEntry.objects.filter(patient=patient, status__in=["waiting", "offered"])
    for entry in entries.order_by("pk").select_for_update(of=("self",), no_key=True):
        waitlist.withdraw(entry, by=BY)
    now = timezone.now()
    visits = Appointment.objects.filter(patient=patient, status__in=_AHEAD).exclude(start__lte=now)
    visits = visits.exclude(status=Status.PENDING, hold_expires_at__lte=now)  # gone by themselves
    for visit in visits.order_by("pk").select_for_update(of=("self",), no_key=True):
        change_status(visit, Action.CANCEL, by=BY, reason=REASON)
