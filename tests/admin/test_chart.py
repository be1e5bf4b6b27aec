"""The chart page: what a tab adds or changes goes through the services, and who may not read an area has no tab."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from patients.models import AccessGrant, Address, Consent, Patient, PatientNote
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.admin.pages import filled, staff, url
from tests.factories.patients import PatientFactory
from tests.rows import SETUP, make_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def chart(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create()


def prefixes(page: Any) -> dict[str, Any]:
    """What can be added in each tab -> its form set's prefix."""
    return {each.opts.__class__.__name__: each.formset.prefix for each in page.context["inline_admin_formsets"]}


def added(page: Any, tab: str, **values: Any) -> dict[str, Any]:
    prefix = prefixes(page)[tab]
    return filled(
        page, **{f"{prefix}-TOTAL_FORMS": 1, **{f"{prefix}-0-{name}": value for name, value in values.items()}}
    )


def test_front_desk_adds_an_address_and_a_consent(practice: Practice, chart: Patient) -> None:
    desk, address = staff("front_desk", practice), url(Patient, "change", chart.pk)
    home = {"line1": "12 Elm Street", "country": "US", "use": "home", "type": "both"}
    assert desk.post(address, added(desk.get(address), "AddressTab", **home)).status_code == 302
    agreed = {"kind": "sms", "status": "given", "at_0": "2026-01-02", "at_1": "09:00:00"}
    assert desk.post(address, added(desk.get(address), "ConsentTab", **agreed)).status_code == 302
    with practice_scope(practice, actor=SETUP):
        assert (Address.objects.get().line1, Consent.objects.get().version) == ("12 Elm Street", 1)
        Patient.objects.filter(pk=chart.pk).update(status="archived")
    refused = desk.post(address, added(desk.get(address), "AddressTab", **{**home, "line1": "13 Elm Street"}))
    assert (refused.status_code, "This chart is archived" in refused.content.decode()) == (409, True)


def test_provider_writes_and_signs_a_note(practice: Practice, chart: Patient) -> None:
    provider, address = staff("provider", practice), url(Patient, "change", chart.pk)
    written = added(provider.get(address), "DraftTab", title="Visit", text="Feels well.", sign="on")
    assert provider.post(address, written).status_code == 302
    with practice_scope(practice, actor=SETUP):
        note = PatientNote.objects.get()
        assert (note.author_id, note.signed_at is not None) == (provider.user.pk, True)
    page = provider.get(address).content.decode()
    assert "Feels well." in page


@pytest.mark.parametrize(
    ("role", "hidden"),
    [
        ("front_desk", {"AllergyTab", "MedicationTab", "DraftTab", "NoteTab"}),
        ("biller", {"AllergyTab", "MedicationTab", "AlertTab", "DraftTab", "NoteTab"}),
        ("owner", {"DraftTab", "NoteTab"}),
        ("assistant", {"DraftTab"}),
        ("provider", set()),
    ],
)
def test_tabs_are_those_of_the_role(role: str, hidden: set[str], practice: Practice, chart: Patient) -> None:
    every = set(prefixes(staff("provider", practice).get(url(Patient, "change", chart.pk))))
    shown = set(prefixes(staff(role, practice).get(url(Patient, "change", chart.pk))))
    assert every - shown == hidden


def test_whoever_was_let_in_does_not_lift_the_restriction(practice: Practice, chart: Patient) -> None:
    provider, address = staff("provider", practice), url(Patient, "change", chart.pk)
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=chart.pk).update(restricted=True)
        make_row(AccessGrant, patient=chart, user=provider.user, expires_at=timezone.now() + timedelta(hours=1))
    form = {name: value for name, value in filled(provider.get(address)).items() if name != "restricted"}
    assert provider.post(address, form).status_code == 403
    with practice_scope(practice, actor=SETUP):
        assert Patient.objects.get(pk=chart.pk).restricted
