"""From a booking to the vendor: what is queued, what is sent, what is recorded."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.services import remove, suspend
from appointments.models import Appointment
from appointments.services import Move, book, cancel, change_status, reschedule
from appointments.transitions import Action, Status
from integrations.errors import RetryableVendorError
from integrations.messages.delivery import deliver
from integrations.models import Message, MessageKind, MessageStatus, MessageTemplate
from patients.models import ContactPoint, Patient
from practices.tenancy import Actor, practice_scope
from tests.appointments.conftest import SETUP, tomorrow_at
from tests.factories.accounts import MembershipFactory
from tests.integrations.counterparts.sendgrid import SendGridCounterpart
from tests.integrations.counterparts.server import Response
from tests.integrations.counterparts.twilio import TwilioCounterpart

pytestmark = pytest.mark.django_db
MakeBooking = Callable[..., Any]


@pytest.fixture
def reachable(in_clinic: Any) -> Any:
    """The clinic with a patient who has an address and telephones."""
    ContactPoint.objects.create(patient=in_clinic.patient, kind="email", value="ada@example.test")
    ContactPoint.objects.create(patient=in_clinic.patient, kind="phone", value="+12125550100;ext=7")
    ContactPoint.objects.create(patient=in_clinic.patient, kind="phone", value="+12125550101", use="old")
    ContactPoint.objects.create(patient=in_clinic.patient, kind="phone", value="+12125550102", rank=2)
    ContactPoint.objects.create(patient=in_clinic.patient, kind="phone", value="+12125550103", rank=3, use="mobile")
    return in_clinic


def sent_to() -> list[tuple[str, str, str]]:
    return sorted((message.kind, message.channel, message.to) for message in Message.objects.all())


def deliver_all() -> None:
    """What the worker does, one attempt for each job."""
    for args in ProcrastinateJob.objects.order_by("id").values_list("args", flat=True):
        message = Message.objects.get(pk=args["message_id"])
        deliver(
            practice_id=message.practice_id,
            message_id=message.pk,
            queued_by=args["queued_by"],
            last_attempt=False,
        )


def only(channel: str) -> None:
    MessageTemplate.objects.exclude(channel=channel).update(active=False)


def test_booking_queues_a_confirmation_on_each_channel(reachable: Any, booking: MakeBooking) -> None:
    appointment = book(booking(), by=SETUP)
    assert sent_to() == [
        ("appointment-confirmation", "email", "ada@example.test"),
        ("appointment-confirmation", "sms", "+12125550103"),
    ]
    assert set(Message.objects.values_list("status", "appointment")) == {("queued", appointment.pk)}


def test_job_carries_ids_only(reachable: Any, booking: MakeBooking) -> None:
    only("sms")
    book(booking(), by=SETUP)
    message = Message.objects.get()
    job = ProcrastinateJob.objects.get()
    ids = {"practice_id": str(message.practice_id), "message_id": str(message.pk)}
    assert job.args == {**ids, "queued_by": None}


def test_address_is_encrypted_in_the_table(reachable: Any, booking: MakeBooking) -> None:
    book(booking(), by=SETUP)
    with connection.cursor() as cursor:
        cursor.execute('SELECT "to" FROM integrations_message')
        assert not [row for (row,) in cursor.fetchall() if "ada" in row or "0103" in row]


def test_patient_without_contacts_gets_nothing_and_is_booked(in_clinic: Any, booking: MakeBooking) -> None:
    assert book(booking(), by=SETUP).status == Status.BOOKED
    assert not Message.objects.exists()


def test_inactive_template_sends_nothing(reachable: Any, booking: MakeBooking) -> None:
    MessageTemplate.objects.update(active=False)
    book(booking(), by=SETUP)
    assert not Message.objects.exists()


def test_hold_is_confirmed_only_once_it_is_booked(reachable: Any, booking: MakeBooking) -> None:
    only("sms")
    appointment = book(booking(hold=True), by=SETUP)
    assert not Message.objects.exists()
    change_status(appointment, Action.CONFIRM, by=SETUP)
    assert [kind for kind, _, _ in sent_to()] == ["appointment-confirmation"]


def test_cancelled_hold_sends_nothing(reachable: Any, booking: MakeBooking) -> None:
    cancel(book(booking(hold=True), by=SETUP), by=SETUP)
    assert not Message.objects.exists()


def test_cancelling_queues_a_notice(reachable: Any, booking: MakeBooking) -> None:
    only("sms")
    cancel(book(booking(), by=SETUP), by=SETUP)
    assert [kind for kind, _, _ in sent_to()] == ["appointment-cancelled", "appointment-confirmation"]


def test_leaving_without_being_seen_sends_no_notice(reachable: Any, booking: MakeBooking) -> None:
    only("sms")
    appointment = change_status(book(booking(), by=SETUP), Action.ARRIVE, by=SETUP)
    cancel(appointment, by=SETUP)
    assert [kind for kind, _, _ in sent_to()] == ["appointment-confirmation"]


def test_cancelling_the_visit_of_somebody_who_died_sends_nothing(reachable: Any, booking: MakeBooking) -> None:
    only("sms")
    appointment = book(booking(), by=SETUP)
    Message.objects.all().delete()
    Patient.objects.filter(pk=reachable.patient.pk).update(deceased_at=timezone.now())
    cancel(Appointment.objects.get(pk=appointment.pk), by=SETUP)
    assert not Message.objects.exists()


def test_message_to_somebody_who_died_since_is_not_sent(
    reachable: Any, booking: MakeBooking, twilio: TwilioCounterpart
) -> None:
    only("sms")
    book(booking(), by=SETUP)
    Patient.objects.filter(pk=reachable.patient.pk).update(deceased_at=timezone.now())
    deliver_all()
    assert (twilio.requests, Message.objects.get().error_code) == ([], "patient_deceased")


def test_message_of_somebody_who_was_erased_is_not_sent(
    reachable: Any, booking: MakeBooking, twilio: TwilioCounterpart
) -> None:
    only("sms")
    book(booking(), by=SETUP)
    message = Message.objects.get()
    message.delete()
    deliver(practice_id=message.practice_id, message_id=message.pk, last_attempt=False)
    assert twilio.requests == []


def test_moving_a_visit_confirms_its_new_time(reachable: Any, booking: MakeBooking, twilio: TwilioCounterpart) -> None:
    only("sms")
    appointment = book(booking(), by=SETUP)
    deliver_all()
    reschedule(appointment, Move(start=tomorrow_at(19)), by=SETUP)
    deliver_all()
    first, second = (form["Body"] for form in twilio.accepted)
    assert first != second
    assert "2 p.m." in second or "3 p.m." in second  # 19:00 UTC in New York, winter or summer


def test_confirmation_says_what_the_template_allows_and_no_more(
    reachable: Any, booking: MakeBooking, sendgrid: SendGridCounterpart
) -> None:
    only("email")
    MessageTemplate.objects.filter(kind=MessageKind.CONFIRMATION, channel="email").update(
        subject="{{ practice_name }}", body="{{ patient_given_name }}, {{ location_name }}"
    )
    book(booking(), by=SETUP)
    deliver_all()
    (mail,) = sendgrid.accepted
    message = Message.objects.get()
    assert mail["subject"] == "Cedar"
    assert mail["content"] == [{"type": "text/plain", "value": "Ada, Vale Street"}]
    assert mail["personalizations"] == [
        {"to": [{"email": "ada@example.test"}], "custom_args": {"reference": str(message.pk)}}
    ]
    assert (message.status, message.vendor, message.error_code) == ("sent", "sendgrid", "")
    assert message.vendor_id
    assert message.sent_at is not None


def test_sent_message_is_not_sent_again(reachable: Any, booking: MakeBooking, twilio: TwilioCounterpart) -> None:
    only("sms")
    book(booking(), by=SETUP)
    deliver_all()
    deliver_all()
    assert len(twilio.requests) == 1


def test_confirmation_of_a_visit_cancelled_meanwhile_is_not_sent(
    reachable: Any, booking: MakeBooking, twilio: TwilioCounterpart
) -> None:
    only("sms")
    cancel(book(booking(), by=SETUP), by=SETUP)
    deliver_all()
    assert ["cancelled" in form["Body"] for form in twilio.accepted] == [True]
    assert set(Message.objects.values_list("kind", "status", "error_code")) == {
        ("appointment-confirmation", "failed", "superseded"),
        ("appointment-cancelled", "sent", ""),
    }


@pytest.mark.parametrize("end", ["suspended", "removed", "stays"])
def test_jobs_of_a_member_who_is_out_are_not_done(
    reachable: Any, booking: MakeBooking, twilio: TwilioCounterpart, end: str
) -> None:
    only("sms")
    member = MembershipFactory.create(roles=["front_desk"])
    with practice_scope(reachable.practice, actor=Actor.user(member.user_id, ("front_desk",))):
        book(booking(), by=SETUP)
    if end == "suspended":
        suspend(member=member.pk, by=SETUP)
    elif end == "removed":
        remove(member=member.pk, by=SETUP)
    deliver_all()
    message = Message.objects.get()
    sent = end == "stays"
    assert (message.status, message.error_code) == (("sent", "") if sent else ("failed", "member_suspended"))
    assert len(twilio.requests) == int(sent)


def test_template_switched_off_meanwhile_sends_nothing(
    reachable: Any, booking: MakeBooking, twilio: TwilioCounterpart
) -> None:
    only("sms")
    book(booking(), by=SETUP)
    MessageTemplate.objects.update(active=False)
    deliver_all()
    assert twilio.requests == []
    assert Message.objects.get().error_code == "no_template"


def test_permanent_refusal_fails_the_message_with_the_vendors_code(
    reachable: Any, booking: MakeBooking, twilio: TwilioCounterpart
) -> None:
    only("sms")
    twilio.unsubscribed.add("+12125550103")
    book(booking(), by=SETUP)
    deliver_all()
    message = Message.objects.get()
    assert (message.status, message.error_code, message.sent_at) == ("failed", "twilio:21610", None)


def test_outage_puts_the_message_back_until_the_last_attempt(
    reachable: Any, booking: MakeBooking, twilio: TwilioCounterpart
) -> None:
    only("sms")
    book(booking(), by=SETUP)
    message = Message.objects.get()
    twilio.answer_next += [Response(503, {"code": 20503, "message": "down", "status": 503})] * 2
    with pytest.raises(RetryableVendorError):
        deliver(practice_id=message.practice_id, message_id=message.pk, last_attempt=False)
    message.refresh_from_db()
    assert (message.status, message.error_code) == ("queued", "twilio:20503")
    deliver(practice_id=message.practice_id, message_id=message.pk, last_attempt=True)
    message.refresh_from_db()
    assert message.status == MessageStatus.FAILED


def test_messages_of_restricted_patients_are_hidden_like_their_charts(reachable: Any, booking: MakeBooking) -> None:
    book(booking(), by=SETUP)
    Patient.objects.filter(pk=reachable.patient.pk).update(restricted=True)
    front_desk = Actor(kind="user", roles=("front_desk",))
    admin = Actor(kind="user", roles=("admin",))
    assert Message.objects.visible_to(front_desk).count() == 0
    assert Message.objects.visible_to(admin).count() == 2


def statements(captured: CaptureQueriesContext) -> int:
    return sum("SAVEPOINT" not in query["sql"] for query in captured)


def test_booking_costs_few_statements_more_for_its_messages(reachable: Any, booking: MakeBooking) -> None:
    MessageTemplate.objects.update(active=False)
    with CaptureQueriesContext(connection) as without:
        book(booking(), by=SETUP)
    MessageTemplate.objects.update(active=True)
    with CaptureQueriesContext(connection) as with_messages:
        book(booking(start=tomorrow_at(16)), by=SETUP)
    assert statements(with_messages) - statements(without) <= 3  # the contacts, the messages, the jobs


def test_history_of_messages_belongs_to_one_appointment(reachable: Any, booking: MakeBooking) -> None:
    appointment = book(booking(), by=SETUP)
    assert {message.appointment_id for message in Appointment.objects.get(pk=appointment.pk).messages.all()} == {
        appointment.pk
    }
