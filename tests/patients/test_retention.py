"""Charts that were kept long enough: what is due, what a hold keeps, and that nothing that names a person is left."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.utils import timezone
from pytest_django import Settings

from appointments.models import Appointment
from audit.models import AuditEvent
from audit.reconciling import raise_unattributed
from integrations.models import PatientExport, StoredFile
from integrations.tasks import discard_unused_files, remove_expired_exports
from patients.belongings import belongings
from patients.management.commands import retention as command
from patients.models import AccessGrant, LegalHold, Patient, PatientDocument
from patients.retention import over
from patients.services import legal_holds, merging
from patients.services.erasure import KEPT, erase
from practices.encryption import EncryptedTextField, KeysDestroyed
from practices.models import Practice, PracticeKey, PracticePolicy, TimeZoneField
from practices.tenancy import Actor, platform_scope, practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import ContactPointFactory, PatientFactory
from tests.integrations.test_documents import API, FILE, PDF, added, code, store, uploaded
from tests.patients.conftest import PATIENTS, SETUP
from tests.patients.everything import one_of_each
from tests.patients.parts import refusal, url
from tests.patients.test_no_plaintext import tables_dumped
from tests.rows import make_row

__all__ = ["store"]
pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(days=366 * 11)
TELLS_NOBODY = {
    "patients.patient": {"mrn"},  # drawn anew
    "patients.patientmerge": {"source_status"},
    "patients.patientmergeitem": {"entity", "field", "constraint"},
    "appointments.appointmentseries": {"rrule"},
    "appointments.statusevent": {"action", "from_status", "to_status"},
    "integrations.patientexport": {"key", "sha256", "error_code"},
}


def age(*patients: Patient, at: datetime = LONG_AGO) -> None:
    """All that is kept about them was written then."""
    with practice_scope(patients[0].practice_id, actor=SETUP):
        for belonging in belongings():
            ids = list(belonging.of([each.pk for each in patients]).values_list("pk", flat=True))
            models.QuerySet(belonging.model).filter(pk__in=ids).update(created_at=at, updated_at=at)


def run(*arguments: Any) -> str:
    out = io.StringIO()
    call_command("retention", *arguments, stdout=out)
    return out.getvalue()


def erased(*patients: Patient) -> list[bool]:
    with practice_scope(patients[0].practice_id, actor=SETUP):
        return [Patient.objects.get(pk=each.pk).erased_at is not None for each in patients]


@pytest.fixture
def old(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        patient: Patient = PatientFactory.create(given_name="Zenobia", family_name="Quux", birth_date=date(1950, 1, 1))
        ContactPointFactory.create(patient=patient)
    age(patient)
    return patient


def texts(model: type[models.Model]) -> set[str]:
    """Columns that may hold anything."""
    return {
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
        and not (field.choices or isinstance(field, TimeZoneField))
    }


def told_of_nobody(model: type[models.Model]) -> set[str]:
    return TELLS_NOBODY.get(model._meta.label_lower, set())


def test_every_row_is_gone_or_says_nothing_of_the_person(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        patient = make_row(Patient, given_name="Zenobia", family_name="Quux", language="de", birth_date="1950-01-01")
        made = one_of_each(patient)
        LegalHold.objects.update(released_at=timezone.now(), released_by=made[LegalHold].placed_by)
        written = {getattr(row, name) for model, row in made.items() for name in texts(model) - told_of_nobody(model)}
    with practice_scope(practice, actor=SETUP):
        assert erase(patient_id=patient.pk, by=SETUP)
        connection.check_constraints()
    with practice_scope(practice, actor=SETUP):
        for belonging in belongings():
            rows = list(belonging.of([patient.pk]))
            if belonging.entity not in KEPT:
                assert rows == [], belonging.entity
                continue
            emptied = set(KEPT[belonging.entity])
            assert texts(belonging.model) - emptied == told_of_nobody(belonging.model), belonging.entity
            secret = {f.name for f in belonging.model._meta.concrete_fields if isinstance(f, EncryptedTextField)}
            assert secret <= emptied
            assert {getattr(row, name) for row in rows for name in emptied} <= {""}
        left = Patient.objects.get(pk=patient.pk)
        assert (left.birth_date, left.sex, left.status) == (None, "unknown", "archived")
        dumped = tables_dumped()
        assert "audit_auditevent" in dumped
        assert [name for name, text in dumped.items() if "zenobia" in text.lower() or "1950-01-01" in text] == []
        everything = "\n".join(dumped.values())
        long = [text for text in written if len(text) > 12]  # what is shorter may stand in an id by chance
        assert made[AccessGrant].reason in long
        assert [text for text in long if text in everything] == []
        events = AuditEvent.objects.filter(patient_ids__contains=[patient.pk]).exclude(action="create")
        told = {(each.entity, each.action) for each in events if each.entity not in {"integrations.patientexport"}}
        assert {("patients.contactpoint", "delete"), ("patients.patient", "update")} <= told
        erasing = events.exclude(entity__in=["integrations.patientexport", "patients.legalhold"])
        assert [each.changes for each in erasing if set(each.changes.values()) - {None}] == []
        assert raise_unattributed(since=1, until=2**62) == 0


def test_trial_run_erases_nothing_and_apply_what_is_due(practice: Practice, old: Patient) -> None:
    with practice_scope(practice, actor=SETUP):
        PracticePolicy.objects.create(retention_years=10)
        held, visited, child, fresh, merged = (PatientFactory.create(birth_date=date(1950, 1, 1)) for _ in range(5))
        Patient.objects.filter(pk=child.pk).update(birth_date=timezone.now().date() - timedelta(days=366 * 20))
        merging.merge(survivor=old, source=merged, reason="Same", by=SETUP)
        make_row(LegalHold, patient=held)
        visit = make_row(Appointment, patient=visited)
    age(old, held, visited, child, merged)
    with practice_scope(practice, actor=SETUP):
        Appointment.objects.filter(pk=visit.pk).update(start=timezone.now() - timedelta(days=365 * 9))
        models.QuerySet(Appointment).filter(pk=visit.pk).update(updated_at=LONG_AGO)
    everybody = (old, merged, held, visited, child, fresh)
    said = run("--ids")
    assert "alder: 1 would be erased, 1 under a legal hold (kept for 10 years)" in said
    assert str(old.pk) in said
    assert erased(*everybody) == [False] * 6
    assert "alder: 1 erased, 1 under a legal hold" in run("--apply")
    assert erased(*everybody) == [True, True, False, False, False, False]
    assert "alder: 0 erased, 1 under a legal hold" in run("--apply")
    with practice_scope(practice, actor=SETUP):
        PracticePolicy.objects.update(retention_years=0)
        LegalHold.objects.update(released_at=timezone.now(), released_by=LegalHold.objects.get().placed_by)
    assert "alder: 0 erased, 0 under" in run("--apply")


@pytest.mark.parametrize(
    ("born", "precision", "last_kept"),
    [
        (date(1997, 11, 27), "day", datetime(2026, 11, 27, 4, 59, tzinfo=UTC)),  # in New York, five hours behind
        (date(1996, 2, 29), "day", datetime(2025, 3, 1, 4, 59, tzinfo=UTC)),
        (date(1996, 2, 1), "month", datetime(2025, 3, 1, 4, 59, tzinfo=UTC)),
        (date(1996, 1, 1), "year", datetime(2025, 12, 31, 4, 59, tzinfo=UTC)),
    ],
)
def test_chart_is_due_from_a_birthday_on(
    practice: Practice, old: Patient, born: date, precision: str, last_kept: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eleven years after they came of age."""
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=old.pk).update(birth_date=born, birth_date_precision=precision)
    age(old, at=datetime(2000, 1, 1, tzinfo=UTC))
    with practice_scope(practice, actor=SETUP):
        for minutes, due in ((0, False), (1, True)):
            now = last_kept + timedelta(minutes=minutes)
            monkeypatch.setattr("django.utils.timezone.now", lambda now=now: now)
            assert over(11).filter(pk=old.pk).exists() is due


def test_run_that_is_cut_off_goes_on_where_it_was(
    practice: Practice, old: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with practice_scope(practice, actor=SETUP):
        other = PatientFactory.create(birth_date=date(1950, 1, 1))
    age(old, other)
    done: list[Any] = []

    def once(**kwargs: Any) -> bool:
        if done:
            raise KeyboardInterrupt
        done.append(kwargs["patient_id"])
        return erase(**kwargs)

    with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
        cut.setattr(command, "erase", once)
        run("--apply", "--batch-size", "1")
    assert sum(erased(old, other)) == 1
    assert "1 erased" in run("--apply")
    assert erased(old, other) == [True, True]


def test_one_patient_is_erased_on_request_unless_held(practice: Practice, ada: Patient, old: Patient) -> None:
    with pytest.raises(CommandError, match="--patient needs --practice"):
        run("--patient", ada.pk)
    with pytest.raises(CommandError, match="no practice"):
        run("--practice", "nowhere")
    with practice_scope(practice, actor=SETUP):
        hold = make_row(LegalHold, patient=ada)
    of_ada = ("--practice", "alder", "--patient", ada.pk, "--apply")
    assert "0 erased, 1 under a legal hold" in run(*of_ada)
    with practice_scope(practice, actor=SETUP):
        assert not erase(patient_id=ada.pk, by=SETUP)
        legal_holds.release(hold=hold, by=Actor.user(hold.placed_by_id))
    assert "1 erased" in run(*of_ada)
    assert erased(ada, old) == [True, False]


def test_erased_chart_is_nowhere_and_comes_back_by_nothing(practice: Practice, ada: Patient) -> None:
    owner = client_for("owner", practice)
    with practice_scope(practice, actor=SETUP):
        source = PatientFactory.create()
        merge = merging.merge(survivor=ada, source=source, reason="Same", by=SETUP)
        assert erase(patient_id=ada.pk, by=SETUP)
    answers = [owner.get(f"{PATIENTS}/{ada.pk}"), owner.get(url(ada, "contacts")), owner.post(url(ada, "export"))]
    assert [each.status_code for each in answers] == [404] * 3
    assert owner.get(PATIENTS).json()["results"] == []
    assert refusal(owner.post(f"/api/v1/patient-merges/{merge.pk}/reverse")) == (409, "patient_erased")
    log = owner.get("/api/v1/audit-events", {"entity": "patients.patient", "action": "create"}).json()["results"]
    assert [value for event in log for value in event["changes"].values() if value is not None] == []


def test_closed_practice_loses_its_keys_with_its_last_chart(practice: Practice, old: Patient) -> None:
    def closed(at: datetime) -> None:
        with platform_scope(actor=SETUP):
            models.QuerySet(Practice).filter(pk=practice.pk).update(status="closed", updated_at=at)

    closed(timezone.now())
    assert "keys" not in run("--apply")
    closed(LONG_AGO)
    assert "its keys would be destroyed" in run()
    assert "its keys are destroyed" in run("--apply")
    assert "keys" not in run("--apply")
    with practice_scope(practice, actor=SETUP):
        assert not PracticeKey.objects.exclude(wrapped="").exists()
        with pytest.raises(KeysDestroyed):
            ContactPointFactory.create()


def test_documents_and_copies_go_with_the_chart(practice: Practice, ada: Patient, store: Path) -> None:
    owner = client_for("owner", practice)
    document, waiting = added(owner, ada).json(), uploaded(owner)
    with practice_scope(practice, actor=SETUP):
        copy = make_row(PatientExport, patient=ada, expires_at=timezone.now() + timedelta(hours=1))
        kept = PatientDocument.objects.get(pk=document["id"]).file
        assert erase(patient_id=ada.pk, by=SETUP)
        assert StoredFile.objects.get(pk=kept.pk).filename == ""
    assert len(list(store.rglob("documents/*"))) == 2  # the bytes, and their type beside them
    discard_unused_files(timestamp=0)
    remove_expired_exports(timestamp=0)
    assert list(store.rglob("documents/*")) == []
    with practice_scope(practice, actor=SETUP):
        assert [str(each.pk) for each in StoredFile.objects.all()] == [waiting]
        assert PatientExport.objects.get(pk=copy.pk).status == "expired"
        assert raise_unattributed(since=1, until=2**62) == 0


def test_upload_that_never_came_into_a_chart_is_removed(
    practice: Practice, ada: Patient, store: Path, settings: Settings
) -> None:
    desk = client_for("front_desk", practice)
    left, new = uploaded(desk), uploaded(desk)
    with practice_scope(practice, actor=SETUP):
        models.QuerySet(StoredFile).filter(pk=left).update(
            created_at=datetime.now(UTC) - timedelta(hours=24, minutes=1)
        )
    body = {"upload": left, "title": "Letter", "category": "letter"}
    assert code(desk.post(url(ada, "documents"), body)) == (400, "expired")
    discard_unused_files(timestamp=0)
    assert len([path for path in store.rglob("uploads/*") if path.read_bytes() == PDF]) == 2
    with practice_scope(practice, actor=SETUP):
        models.QuerySet(StoredFile).filter(pk=left).update(created_at=datetime.now(UTC) - timedelta(hours=26))
    discard_unused_files(timestamp=0)
    assert len([path for path in store.rglob("uploads/*") if path.read_bytes() == PDF]) == 1
    with practice_scope(practice, actor=SETUP):
        assert [str(each.pk) for each in StoredFile.objects.all()] == [new]
    assert desk.post(f"{API}/documents/uploads", FILE).status_code == 201


def test_hold_is_placed_and_released_by_owners_and_admins(
    practice: Practice, ada: Patient, stranger: MemberClient
) -> None:
    owner = client_for("owner", practice)
    placed = owner.post(url(ada, "legal-holds"), {"reason": "A lawsuit"})
    assert (placed.status_code, placed.json()["reason"], placed.json()["released_at"]) == (201, "A lawsuit", None)
    release = url(ada, "legal-holds", placed.json()["id"], "release")
    for role in ("provider", "assistant", "front_desk", "biller", "auditor"):
        client = client_for(role, practice)
        answers = (client.get(url(ada, "legal-holds")), client.post(url(ada, "legal-holds"), {"reason": "x"}))
        assert [each.status_code for each in (*answers, client.post(release))] == [403] * 3
    assert stranger.post(url(ada, "legal-holds"), {"reason": "x"}).status_code == 404
    assert stranger.post(release).status_code == 404
    assert refusal(owner.post(url(ada, "legal-holds"), {"reason": ""}))[0] == 400
    assert client_for("admin", practice).post(release).json()["released_at"] is not None
    assert refusal(owner.post(release)) == (409, "already_released")
