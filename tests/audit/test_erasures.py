"""Who was erased stays so when the database is put back to a time before."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import models

from audit import anchoring, erasures
from audit.models import AuditEvent
from audit.tasks import note_erasures
from patients.models import LegalHold, Patient, PatientMerge
from patients.services import legal_holds, merging
from patients.services.erasure import erase
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.rows import SETUP, make_row

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Path:
    settings.STATE_DIR = tmp_path
    return tmp_path


def erased(practice: Practice, *, noted: bool = True) -> Patient:
    with practice_scope(practice, actor=SETUP):
        patient: Patient = make_row(Patient, given_name="Zenobia", family_name="Quux")
        assert erase(patient_id=patient.pk, by=SETUP)
    if noted:
        note_erasures(timestamp=0)
    return patient


def restored(*patients: Patient) -> None:
    """As a backup from before has them."""
    for each in patients:
        with practice_scope(each.practice_id, actor=SETUP):
            names = {"given_name": "Zenobia", "family_name": "Quux", "sort_name": "quux zenobia"}
            models.QuerySet(Patient).filter(pk=each.pk).update(erased_at=None, status="active", **names)


def entry_of(store: Path) -> Path:
    """The only one."""
    [entry] = store.rglob(f"{erasures.FOLDER}/**/*.json")
    return entry


def is_erased(patient: Patient) -> bool:
    with practice_scope(patient.practice_id, actor=SETUP):
        found = Patient.objects.get(pk=patient.pk)
    return found.erased_at is not None and found.family_name == ""


def run(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("erase_again", *arguments, stdout=out)
    nothing = (": 0 have come back and would be erased", ": 0 erased again, 0 stay")
    return [line for line in out.getvalue().splitlines() if not line.endswith(nothing)]


def test_restored_chart_is_erased_again(practice: Practice, other_practice: Practice) -> None:
    gone, other = erased(practice), erased(other_practice)
    with practice_scope(practice, actor=SETUP):
        living = make_row(Patient)
    assert run() == []
    restored(gone)
    told, who = run()
    assert (told, who.split()[0]) == (f"{practice.slug}: 1 have come back and would be erased", str(gone.pk))
    assert not is_erased(gone)
    assert run("--practice", other_practice.slug, "--apply") == []
    assert run("--apply") == [f"{practice.slug}: 1 erased again, 0 stay"]
    assert (is_erased(gone), is_erased(living), is_erased(other)) == (True, False, True)
    assert run("--apply") == []
    with practice_scope(practice, actor=SETUP):
        event = AuditEvent.objects.filter(entity="patients.patient", entity_id=gone.pk, actor_label="erase_again").get()
    assert gone.pk in event.patient_ids


def test_entries_hold_ids_only_and_stay(practice: Practice, store: Path) -> None:
    gone = erased(practice)
    entry = entry_of(store)
    assert (entry.parent.name, entry.stem) == (str(practice.pk), str(gone.pk))
    assert b"Quux" not in entry.read_bytes()
    assert erasures.note(practice.pk) == 0
    restored(gone)
    note_erasures(timestamp=0)
    assert entry.exists()


def test_erasure_that_failed_is_not_noted(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        held = make_row(LegalHold, released_at=None).patient
        assert not erase(patient_id=held.pk, by=SETUP)
    note_erasures(timestamp=0)
    assert erasures.come_back(practice.pk).patients == {}
    assert not is_erased(held)


def test_hold_and_merge_are_named(practice: Practice) -> None:
    held, merged = erased(practice), erased(practice)
    restored(held, merged)
    with practice_scope(practice, actor=SETUP):
        make_row(LegalHold, patient=held, released_at=None)
        merging.merge(
            source=Patient.objects.get(pk=merged.pk), survivor=make_row(Patient), reason="The same person", by=SETUP
        )
    first, *rest = run("--apply")
    assert first == f"{practice.slug}: 0 erased again, 2 stay"
    assert {line.split(":")[0].strip() for line in rest} == {str(held.pk), str(merged.pk)}
    with practice_scope(practice, actor=SETUP):
        hold = LegalHold.objects.get()
        legal_holds.release(hold=hold, by=Actor.user(hold.placed_by_id))
    run("--apply")
    assert (is_erased(held), is_erased(merged)) == (True, False)


def test_nobody_goes_along_who_was_not_erased(practice: Practice) -> None:
    """Merged by mistake when the backup was made, apart again when one of them was erased."""
    gone = erased(practice)
    restored(gone)
    with practice_scope(practice, actor=SETUP):
        living = make_row(Patient)
        merging.merge(source=living, survivor=Patient.objects.get(pk=gone.pk), reason="A mistake", by=SETUP)
    told, who = run("--apply")
    assert (told, who.split(":")[0].strip()) == (f"{practice.slug}: 0 erased again, 1 stay", str(gone.pk))
    assert (is_erased(gone), is_erased(living)) == (False, False)
    with practice_scope(practice, actor=SETUP):
        merging.reverse(merge=PatientMerge.objects.get(), by=SETUP)
    run("--apply")
    assert (is_erased(gone), is_erased(living)) == (True, False)


def test_chart_and_its_duplicate_go_together(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        survivor, source = make_row(Patient), make_row(Patient)
        merging.merge(source=source, survivor=survivor, reason="The same person", by=SETUP)
        assert erase(patient_id=survivor.pk, by=SETUP)
    note_erasures(timestamp=0)
    restored(survivor)
    with practice_scope(practice, actor=SETUP):
        models.QuerySet(Patient).filter(pk=source.pk).update(erased_at=None)
    assert run("--apply") == [f"{practice.slug}: 2 erased again, 0 stay"]


FORGED: dict[str, Any] = {
    "of another practice": lambda said, patient, other: {**said, "patient": patient, "practice": other},
    "of another patient": lambda said, patient, other: said,
    "without a date": lambda said, patient, other: {"practice": said["practice"], "patient": patient},
    "of another form": lambda said, patient, other: [patient],
    "unsigned": b"",
    "empty": b"{}",
    "cut off": b'{"heads": {"pat',
    "nothing": b"null",
}


@pytest.mark.parametrize("forged", FORGED)
def test_entry_that_we_did_not_write_erases_nobody(
    practice: Practice, other_practice: Practice, store: Path, forged: str
) -> None:
    gone = erased(practice)
    with practice_scope(practice, actor=SETUP):
        living = make_row(Patient)
    entry = entry_of(store)
    said = anchoring.read_signed(f"{erasures.FOLDER}/{practice.pk}/{gone.pk}.json")
    name = f"{erasures.FOLDER}/{practice.pk}/{living.pk}.json"
    content = FORGED[forged]
    if callable(content):
        anchoring.save_signed(name, content(said, str(living.pk), str(other_practice.pk)))
    else:
        altered = entry.read_bytes().replace(str(gone.pk).encode(), str(living.pk).encode())
        anchoring.store().save(name, io.BytesIO(content or altered), content_type="application/json")
    restored(gone)
    with pytest.raises(CommandError, match=name) as refused:
        run("--apply")
    assert refused.value.returncode == 2
    assert (is_erased(living), is_erased(gone)) == (False, True)


def test_unknown_practice_is_refused() -> None:
    with pytest.raises(CommandError, match="There is no practice nowhere"):
        run("--practice", "nowhere")


def test_practice_that_cannot_be_noted_does_not_stop_the_others(
    practice: Practice, other_practice: Practice, store: Path
) -> None:
    first, second = sorted([practice, other_practice], key=lambda each: each.pk)
    erased(second)
    folder = entry_of(store).parent.with_name(str(first.pk))
    folder.write_text("a file where its folder should be")
    erased(first, noted=False), erased(second, noted=False)
    note_erasures(timestamp=0)
    assert (folder.is_file(), erasures.note(second.pk)) == (True, 0)


def test_other_files_beside_the_entries_are_left_alone(practice: Practice, store: Path) -> None:
    gone = erased(practice)
    entry = entry_of(store)
    with practice_scope(practice, actor=SETUP):
        living = make_row(Patient)
    for name in ("README.txt", str(living.pk), f"{{{living.pk}}}.json"):
        entry.with_name(name).write_bytes(entry.read_bytes())
    restored(gone)
    assert run("--apply") == [f"{practice.slug}: 1 erased again, 0 stay"]
