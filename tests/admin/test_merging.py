"""Merging, taking apart and break-glass on the pages: what would happen is told first, and only who may does it."""

from __future__ import annotations

import re

import pytest

from appointments.models import Appointment
from patients.models import AccessGrant, ContactPoint, DuplicateCandidate, Patient, PatientMerge
from patients.services import duplicates, merging
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.admin.pages import AdminClient, staff, url
from tests.factories.accounts import PASSWORD
from tests.factories.patients import ContactPointFactory, PatientFactory, PatientIdentifierFactory
from tests.rows import SETUP, make_row

pytestmark = pytest.mark.django_db

BREAK_GLASS = "/admin/patients/patient/break-glass/"


@pytest.fixture
def ada(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Ada", family_name="Byron", birth_date="1984-07-30")


@pytest.fixture
def again(practice: Practice, ada: Patient) -> Patient:
    """With a phone number, and an identifier that Ada has too."""
    with practice_scope(practice, actor=SETUP):
        other = PatientFactory.create(given_name="Ada", family_name="Byrno", birth_date="1984-07-30")
        ContactPointFactory.create(patient=other)
        for patient in (ada, other):
            PatientIdentifierFactory.create(patient=patient)
        return other


def foreseen(page: str) -> str:
    return re.findall(r'name="foreseen" value="(\w+)"', page)[0]


def status_of(patient: Patient, practice: Practice) -> str:
    with practice_scope(practice, actor=SETUP):
        return str(Patient.objects.get(pk=patient.pk).status)


def test_owner_is_told_then_merges_then_takes_apart(practice: Practice, ada: Patient, again: Patient) -> None:
    owner, merge = staff("owner", practice), url(Patient, "do", ada.pk, "merge")
    assert merge in owner.get(url(Patient, "change", ada.pk)).content.decode()
    assert f'value="{again.mrn}"' in owner.get(f"{merge}?source={again.pk}").content.decode()
    answers = {"source": again.mrn, "reason": "Typed twice"}
    told = owner.post(merge, answers).content.decode()
    assert "1 contact point will be this chart&#x27;s." in told
    assert "1 patient identifier will stay with the other chart" in told
    assert status_of(again, practice) == "active"
    with practice_scope(practice, actor=SETUP):
        ContactPointFactory.create(patient=again, rank=2)
    other = owner.post(merge, {**answers, "foreseen": foreseen(told)}).content.decode()
    assert ("2 contact points will be" in other, status_of(again, practice)) == (True, "active")
    assert owner.post(merge, {**answers, "foreseen": foreseen(other)}).status_code == 302
    assert status_of(again, practice) == "merged"
    page, undo = owner.get(url(Patient, "change", again.pk)).content.decode(), url(Patient, "do", again.pk, "unmerge")
    assert (undo in page, url(Patient, "change", ada.pk) in page) == (True, True)
    with practice_scope(practice, actor=SETUP):
        ContactPointFactory.create(patient=ada)
    told = owner.post(undo, {}).content.decode()
    assert "2 contact points will be this chart&#x27;s again." in told
    assert "1 contact point came later and will stay with the other chart." in told
    assert owner.post(undo, {"foreseen": foreseen(told)}).status_code == 302
    with practice_scope(practice, actor=SETUP):
        assert PatientMerge.objects.get().reversed_by_id == owner.user.pk
        assert ContactPoint.objects.filter(patient=again).count() == 2


def test_refusals_are_told_in_the_form(
    practice: Practice, other_practice: Practice, ada: Patient, again: Patient
) -> None:
    owner, merge = staff("owner", practice), url(Patient, "do", ada.pk, "merge")
    with practice_scope(other_practice, actor=SETUP):
        foreign = PatientFactory.create()
    for mrn in (foreign.mrn, "NOBODY"):
        page = owner.post(merge, {"source": mrn, "reason": "Same"}).content.decode()
        assert ("No chart has this number." in page, 'id="foreseen"' in page) == (True, False)
    assert owner.get(f"{merge}?source={foreign.pk}").context["form"].initial == {}
    assert owner.get(f"{merge}?source=x").status_code == 200
    own = owner.post(merge, {"source": ada.mrn, "reason": "Same"})
    assert (own.status_code, "merged into itself" in own.content.decode()) == (409, True)
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=again.pk).update(restricted=True)
    hidden = owner.post(merge, {"source": again.mrn, "reason": "Same"})
    assert (hidden.status_code, "Restrict the chart" in hidden.content.decode()) == (409, True)
    assert owner.post(url(Patient, "do", foreign.pk, "merge"), {}).status_code == 404


@pytest.mark.parametrize("role", ["front_desk", "provider", "auditor"])
def test_other_roles_neither_merge_nor_take_apart(role: str, practice: Practice, ada: Patient, again: Patient) -> None:
    client = staff(role, practice)
    assert url(Patient, "do", ada.pk, "merge") not in client.get(url(Patient, "change", ada.pk)).content.decode()
    merge = client.post(url(Patient, "do", ada.pk, "merge"), {"source": again.mrn, "reason": "Same"})
    with practice_scope(practice, actor=SETUP):
        merging.merge(survivor=ada, source=again, reason="Same", by=SETUP)
    assert (merge.status_code, client.post(url(Patient, "do", again.pk, "unmerge"), {}).status_code) == (403, 403)


def test_pair_of_duplicates_leads_to_merging_it(practice: Practice, ada: Patient, again: Patient) -> None:
    with practice_scope(practice, actor=SETUP):
        duplicates.find_duplicates()
        pair = DuplicateCandidate.objects.get()
    page = staff("owner", practice).get(url(DuplicateCandidate, "change", pair.pk)).content.decode()
    for kept, other in ((ada, again), (again, ada)):
        assert f"{url(Patient, 'do', kept.pk, 'merge')}?source={other.pk}" in page


@pytest.fixture
def provider(practice: Practice) -> AdminClient:
    return staff("provider", practice)


def test_provider_breaks_the_glass_of_a_chart(practice: Practice, provider: AdminClient, ada: Patient) -> None:
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(restricted=True)
        visit = make_row(Appointment, patient=ada)
    chart, answers = url(Patient, "change", ada.pk), {"mrn": ada.mrn, "reason": "Unconscious", "password": PASSWORD}
    assert provider.get(chart).status_code == 404
    assert BREAK_GLASS in provider.get(url(Patient, "changelist")).content.decode()
    from_visit = f"{BREAK_GLASS}?patient={ada.pk}"
    assert from_visit in provider.get(url(Appointment, "change", visit.pk)).content.decode()
    assert f'value="{ada.pk}"' in provider.get(from_visit).content.decode()
    wrong = provider.post(BREAK_GLASS, {**answers, "password": "guess"})
    nobody = provider.post(BREAK_GLASS, {**answers, "mrn": "NOBODY"})
    assert (wrong.status_code, nobody.status_code) == (403, 404)
    assert provider.post(BREAK_GLASS, {**answers, "reason": ""}).status_code == 400
    assert provider.get(chart).status_code == 404
    assert provider.post(BREAK_GLASS, {**answers, "mrn": "", "patient": str(ada.pk)})["Location"] == chart
    assert provider.get(chart).status_code == 200
    with practice_scope(practice, actor=SETUP):
        grant = AccessGrant.objects.get()
        assert (grant.user_id, grant.reason, grant.patient_id) == (provider.user.pk, "Unconscious", ada.pk)


def test_glass_is_broken_only_where_there_is_some(
    practice: Practice, other_practice: Practice, provider: AdminClient, ada: Patient
) -> None:
    with practice_scope(other_practice, actor=SETUP):
        foreign = PatientFactory.create(restricted=True)
    answers = {"reason": "Unconscious", "password": PASSWORD}
    for named in ({"mrn": foreign.mrn}, {"patient": str(foreign.pk)}):
        assert provider.post(BREAK_GLASS, {**answers, **named}).status_code == 404
    assert provider.post(BREAK_GLASS, {**answers, "mrn": ada.mrn}).status_code == 409
    for role in ("owner", "front_desk"):
        client = staff(role, practice)
        assert BREAK_GLASS not in client.get(url(Patient, "changelist")).content.decode()
        assert client.get(BREAK_GLASS).status_code == client.post(BREAK_GLASS, answers).status_code == 403
