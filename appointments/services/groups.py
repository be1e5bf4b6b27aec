"""Visits that several patients share: one allocation, a seat for each, free again when the last one leaves."""

from django.db.models import F

from appointments.models import Appointment, GroupVisit


def take_seat(appointment: Appointment, group: GroupVisit) -> None:
    """Before the appointment is saved. Raises IntegrityError when all seats are taken."""
    GroupVisit.objects.filter(pk=group.pk).update(taken=F("taken") + 1)
    appointment.group = group


def begin(appointment: Appointment) -> None:
    """A group of the appointment's type, place and time, of which it is the first. Before the appointment is saved."""
    appointment.group = GroupVisit.objects.create(
        appointment_type=appointment.appointment_type,
        provider=appointment.provider,
        location=appointment.location,
        start=appointment.start,
        end=appointment.end,
        seats=appointment.appointment_type.max_attendees,
        taken=1,
    )


def leave(appointment: Appointment) -> None:
    """Gives its seat back, if it has one, before the appointment is saved.

    What the group occupies is allocated to one of its visits, and passes to another when that one leaves.
    """
    if appointment.group_id is None:
        return
    group = GroupVisit.objects.select_for_update(of=("self",)).get(pk=appointment.group_id)
    others = Appointment.objects.filter(group=group).exclude(pk=appointment.pk)
    heir = others.order_by("created_at", "id").first()
    if heir is not None:
        appointment.allocations.filter(blocking=True).update(appointment=heir)
    GroupVisit.objects.filter(pk=group.pk).update(taken=F("taken") - 1)
    appointment.group = None
