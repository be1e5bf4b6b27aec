from __future__ import annotations

from typing import Any

from appointments.models import ReminderRule
from appointments.services import book
from practices.tenancy import practice_scope
from tests.admin.pages import filled, staff, url
from tests.rows import SETUP


def test_rule_saved_in_the_admin_holds_for_its_types_and_what_is_booked(clinic: Any, booking: Any) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        visit = book(booking(), by=SETUP)
    owner = staff("owner", clinic.practice)
    page = owner.get(url(ReminderRule, "add"))
    body = filled(page, name="Two days", channel="sms", days_before="1", active="on")
    body |= {"types-TOTAL_FORMS": "1", "types-0-appointment_type": str(clinic.visit.pk)}
    assert owner.post(url(ReminderRule, "add"), body).status_code == 302
    with practice_scope(clinic.practice, actor=SETUP):
        rule = ReminderRule.objects.get()
        assert list(rule.appointment_types.all()) == [clinic.visit]
        assert [each.status for each in visit.reminders.all()] == ["scheduled"]
    desk = staff("front_desk", clinic.practice)
    assert desk.get(url(ReminderRule, "change", rule.pk)).status_code == 200
    assert desk.post(url(ReminderRule, "change", rule.pk), body).status_code == 403
