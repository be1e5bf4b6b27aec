"""Old events leave for the archive; what stays proves that both are what was written."""

from __future__ import annotations

import gzip
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from dateutil.relativedelta import relativedelta
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from audit import anchoring, archive, retiring, sealing, structure
from audit.checking import Report
from audit.models import AuditEvent, Seal
from audit.verifying import verify
from patients.models import LegalHold, Patient
from practices.models import Location, Practice, PracticePolicy
from practices.tenancy import Actor, practice_scope
from tests.audit.horizon import overlook_others
from tests.rows import SETUP, make_row

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
BY = Actor.system("tests")


@pytest.fixture
def sealed(practice: Practice, tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Practice:
    """Some events in three seals, anchored."""
    settings.STATE_DIR = tmp_path
    overlook_others(monkeypatch)
    for number in range(3):
        with practice_scope(practice, actor=BY):
            Location.objects.create(name=f"Room {number}")
            if number == 1:
                make_row(Patient)
        assert sealing.seal(practice.pk)
    assert anchoring.anchor(sealing.heads())
    return practice


def in_years(count: int) -> datetime:
    return timezone.now() + relativedelta(years=count)


def counts(practice: Practice) -> tuple[int, int]:
    with practice_scope(practice, actor=BY):
        return AuditEvent.objects.count(), Seal.objects.count()


def checked(practice: Practice, *, archived: bool = True) -> Report:
    return verify(practice.pk, anchors=anchoring.latest(), archived=archived)


def due(practice: Practice) -> list[Seal]:
    return retiring.due(practice.pk, in_years(11))


def test_events_leave_and_the_seals_that_stay_vouch_for_them(sealed: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retiring, "MOST", 2)
    monkeypatch.setattr(retiring, "BATCH", 2)
    guarded = list(structure.problems("owner"))
    events, seals = counts(sealed)
    assert retiring.due(sealed.pk) == []
    assert len(due(sealed)) == seals
    assert retiring.retire(sealed.pk, due(sealed)) == events
    assert counts(sealed) == (1, seals)  # the one that tells of it
    assert (checked(sealed).problems, checked(sealed).events) == ([], events + 1)
    assert (checked(sealed, archived=False).problems, checked(sealed, archived=False).unsealed) == ([], 1)
    assert list(structure.problems("owner")) == guarded
    assert due(sealed) == []
    assert retiring.retire(sealed.pk, []) == 0
    assert sealing.seal(sealed.pk)
    assert checked(sealed).problems == []


def test_archive_that_was_changed_is_found(sealed: Practice, settings: Any) -> None:
    retiring.retire(sealed.pk, due(sealed))
    (file,) = (settings.STATE_DIR / "files" / archive.FOLDER / str(sealed.pk)).glob(f"*{archive.SUFFIX}")
    lines = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(lines.replace(b"practices.location", b"practices.nowhere!", 1)))
    assert "is not as it was written" in checked(sealed).problems[0]
    file.write_bytes(gzip.compress(b"\n".join(lines.splitlines()[1:])))
    assert "is gone from seal 1" in checked(sealed).problems[0]
    file.unlink()
    assert checked(sealed).problems == ["one event is gone from the end of seal 1"]
    assert checked(sealed, archived=False).problems == []


def test_nothing_leaves_from_the_first_event_of_a_patient_under_a_hold(sealed: Practice) -> None:
    with practice_scope(sealed, actor=BY):
        patient = Patient.objects.get()
        hold = make_row(LegalHold, patient=patient)
    assert [seal.seq for seal in due(sealed)] == [1]
    retiring.retire(sealed.pk, due(sealed))
    with practice_scope(sealed, actor=BY):
        assert AuditEvent.objects.about_patient(patient.pk).exists()
        hold.released_at, hold.released_by_id = timezone.now(), hold.placed_by_id
        hold.save()
    assert [seal.seq for seal in due(sealed)] == [2, 3]


def test_hold_that_is_placed_after_choosing_is_seen(sealed: Practice) -> None:
    chosen = due(sealed)
    events, _ = counts(sealed)
    with practice_scope(sealed, actor=BY):
        make_row(LegalHold, patient=Patient.objects.get())
    assert 0 < retiring.retire(sealed.pk, chosen) < events
    assert archive.left(sealed.pk)[0] == 1
    assert checked(sealed).problems == []


def test_hold_that_is_being_placed_is_waited_for(sealed: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(retiring, "_delete", lambda practice_id, until: 0)
        retiring.retire(sealed.pk, due(sealed))  # archived, and not deleted yet
    _, until = archive.left(sealed.pk)
    with ThreadPoolExecutor(1) as pool:
        with practice_scope(sealed, actor=BY):
            patient = Patient.objects.get()
            make_row(LegalHold, patient=patient)
            running = pool.submit(in_thread, sealed, until)
            wait_for_a_lock()
        assert running.result() > 0
        assert pool.submit(in_thread, sealed, until).result() == 0
    with practice_scope(sealed, actor=BY):
        assert AuditEvent.objects.about_patient(patient.pk).exists()
    assert checked(sealed).problems == []


def in_thread(practice: Practice, until: int) -> int:
    try:
        return retiring._delete(practice.pk, until)
    finally:
        connections.close_all()


def wait_for_a_lock() -> None:
    """Until somebody waits for the table of holds."""
    question = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'patients_legalhold'::regclass AND NOT granted)"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connections["default"].cursor() as cursor:
            cursor.execute(question)
            if cursor.fetchone() == (True,):
                return
        time.sleep(0.01)
    raise TimeoutError


def test_practice_that_keeps_everything_loses_nothing(sealed: Practice) -> None:
    chosen = due(sealed)
    with practice_scope(sealed, actor=BY):
        PracticePolicy.objects.update_or_create(defaults={"retention_years": 0})
    assert due(sealed) == []
    assert retiring.retire(sealed.pk, chosen) == 0


def test_what_was_tampered_with_does_not_leave(sealed: Practice) -> None:
    before = counts(sealed)
    with practice_scope(sealed, actor=SETUP, using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER append_only")
        cursor.execute("UPDATE audit_auditevent SET actor_label = 'x' WHERE entity = 'patients.patient'")
        cursor.execute("ALTER TABLE audit_auditevent ENABLE ALWAYS TRIGGER append_only")
    with pytest.raises(retiring.NotAsSealed, match="not as it was written"):
        retiring.retire(sealed.pk, due(sealed))
    assert counts(sealed) == before
    assert archive.left(sealed.pk) == (0, 0)


def test_events_that_only_somebody_else_says_have_left_are_missed(sealed: Practice, settings: Any) -> None:
    retiring.retire(sealed.pk, due(sealed))
    said = settings.STATE_DIR / "files" / archive.FOLDER / str(sealed.pk) / "retired.json"
    kept = said.read_text()
    said.write_text(kept.replace('"seq":3', '"seq":2'))
    with pytest.raises(ValueError, match="not signed"):
        checked(sealed)
    said.unlink()
    assert "is gone from the end of seal 1" in checked(sealed).problems[0]


def test_interrupted_it_goes_on_where_it_was(sealed: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    events, _ = counts(sealed)
    with monkeypatch.context() as broken:
        broken.setattr(retiring, "_delete", lambda practice_id, until: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            retiring.retire(sealed.pk, due(sealed))
    assert counts(sealed)[0] == events
    assert checked(sealed).problems == []
    assert retiring.retire(sealed.pk, []) == events
    assert checked(sealed).problems == []


def test_files_of_a_run_that_was_cut_off_are_passed_over(sealed: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = due(sealed)
    with monkeypatch.context() as broken:
        broken.setattr(archive, "say", lambda practice_id, last, file: 1 // 0)
        for cut in (chosen[:2], chosen):
            with pytest.raises(ZeroDivisionError):
                retiring.retire(sealed.pk, cut)
    for part in (chosen[:1], chosen[1:]):
        retiring.retire(sealed.pk, part)
        assert checked(sealed).problems == []
    assert archive.left(sealed.pk)[0] == 3


def test_command_tells_first_and_applies_when_told(
    sealed: Practice, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    events, _ = counts(sealed)
    later = in_years(11)
    monkeypatch.setattr(retiring, "timezone", SimpleNamespace(now=lambda: later))
    call_command("retire_audit")
    assert f"{sealed.slug}: {events} events would leave" in capsys.readouterr().out
    assert counts(sealed)[0] == events
    call_command("retire_audit", "--apply", "--practice", sealed.slug)
    assert f"{sealed.slug}: {events} events have left" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no practice nobody"):
        call_command("retire_audit", "--practice", "nobody")
