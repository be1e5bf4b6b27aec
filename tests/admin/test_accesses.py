"""How much happened on each day, as who oversees the practice sees it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from accounts.roles import Access, Role, allowed
from audit.accesses import per_day
from audit.models import AuditEvent
from audit.recording import record
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.admin.pages import staff, url
from tests.rows import SETUP, make_row

PAGE = "/admin/audit/auditevent/accesses/"
Action = AuditEvent.Action


def happened(practice: Practice, *actions: str, patient: Patient | None = None) -> None:
    with practice_scope(practice, actor=SETUP):
        for action in actions:
            record(action, "patients.patient", patient_ids=[patient.pk] if patient else [])


def test_days_are_the_practices_own(practice: Practice, other_practice: Practice) -> None:
    happened(practice, Action.READ, Action.READ, Action.UPDATE, Action.DENIED)
    happened(other_practice, Action.READ)
    now, zone = timezone.now(), ZoneInfo("Pacific/Kiritimati")
    with practice_scope(practice, actor=SETUP):
        *before, today = per_day(now.astimezone(zone).date(), zone)
        far = per_day(now.astimezone(ZoneInfo("Pacific/Pago_Pago")).date(), ZoneInfo("Pacific/Pago_Pago"), days=3)
    assert (today.reads, today.changes, today.refusals, today.begins <= now < today.ends) == (
        2,
        2,
        1,
        True,
    )  # and its own creation
    assert len(before) == 29
    assert {(day.reads, day.changes, day.refusals) for day in before} == {(0, 0, 0)}
    assert [day.reads for day in far] == [0, 0, 2]


def test_day_on_which_clocks_change_has_its_own_length(practice: Practice) -> None:
    zone = ZoneInfo(practice.time_zone)
    with practice_scope(practice, actor=SETUP):
        (day,) = per_day(datetime(2027, 3, 14, tzinfo=UTC).date(), zone, days=1)
    assert (day.ends.astimezone(UTC) - day.begins.astimezone(UTC)).total_seconds() == 23 * 3600


@pytest.mark.parametrize("role", Role.values)
def test_page_is_for_whom_the_log_is(role: str, practice: Practice) -> None:
    client = staff(role, practice)
    response = client.get(PAGE)
    assert response.status_code == (200 if allowed([role], "audit", Access.READ) else 403)
    assert (PAGE in client.get("/admin/").content.decode()) == allowed([role], "audit", Access.READ)


def test_page_shows_numbers_and_leads_to_the_days_events(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        patient: Any = make_row(Patient)
    happened(practice, Action.READ, Action.UNATTRIBUTED, patient=patient)
    owner = staff("owner", practice)
    response = owner.get(PAGE)
    page = response.content.decode()
    today = response.context["days"][-1]
    assert (today.reads, 'data-type="bar"' in page) == (1, True)
    log = owner.get(
        url(AuditEvent, "changelist"), {"at__gte": today.begins.isoformat(), "at__lt": today.ends.isoformat()}
    )
    assert log.status_code == 200
    assert patient.mrn in log.content.decode()
    assert patient.family_name not in log.content.decode()
    yesterday = response.context["days"][-2]
    none = owner.get(
        url(AuditEvent, "changelist"), {"at__gte": yesterday.begins.isoformat(), "at__lt": yesterday.ends.isoformat()}
    )
    assert patient.mrn not in none.content.decode()
    queue = owner.get(url(AuditEvent, "changelist"), {"action__exact": "unattributed"})
    assert [row.action for row in queue.context["cl"].result_list] == ["unattributed"]
    for answer, here in ((response, "Accesses per day"), (log, "Audit log"), (queue, "Unattributed changes")):
        items = [item for group in answer.context["sidebar_navigation"] for item in group["items"]]
        assert [item["title"] for item in items if item["active"]] == [here]
    with practice_scope(practice, actor=SETUP):
        looked = AuditEvent.objects.filter(action=Action.READ, entity="audit.auditevent", actor_id=owner.user.pk)
        assert looked.count() == 4


def test_nonsense_for_a_time_is_no_error(practice: Practice) -> None:
    owner = staff("owner", practice)
    assert owner.get(url(AuditEvent, "changelist"), {"at__gte": "soon"}).status_code in {200, 302, 400}
