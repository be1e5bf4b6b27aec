"""Patients out of CSV files: what is read, what is refused row by row, and that the export comes back as it was."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit.models import AuditEvent
from config.api.spreadsheets import cell, plain
from patients.imports import Duplicates, ImportRefused, Mode, Options, Progress, checking, run, running
from patients.imports.reading import FIELDS
from patients.models import Patient
from patients.serializers.patients import EDITABLE
from patients.services import create_patient
from patients.table import CsvRenderer
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import PatientFactory
from tests.patients.conftest import PATIENTS, SETUP

pytestmark = pytest.mark.django_db
HEAD = "given_name,family_name,birth_date,phone\n"
APPLY = Options(dry_run=False)


def imported(text: str, practice: Practice, options: Options = APPLY, **more: Any) -> tuple[Progress, list[Any]]:
    errors: list[Any] = []

    def report(progress: Progress) -> None:
        errors.extend(progress.errors)

    done = run(
        lambda: io.StringIO(text, newline=""),
        practice_id=practice.pk,
        by=SETUP,
        options=options,
        report=report,
        **more,
    )
    return done, errors


def names(practice: Practice) -> list[str]:
    with practice_scope(practice, actor=SETUP):
        return sorted(Patient.objects.values_list("given_name", flat=True))


def test_fields_are_those_that_the_api_creates_patients_with() -> None:
    assert set(FIELDS) == {*EDITABLE, "phone", "email"}


def test_rows_become_patients_by_the_rules_of_the_api(practice: Practice) -> None:
    text = (
        "\ufeffFirst;Last;Born;Tel;email;sex;restricted;ignored\r\n"
        'Ada;"Byron; Countess";1815-12-10;(202) 555-0177;Ada@Example.TEST;female;yes;x\r\n'
        "\r\n"
        "Zoë;Łoś;;;;;;\r\n"
    )
    mapping = {"First": "given_name", "Last": "family_name", "Born": "birth_date", "Tel": "phone"}
    mapping |= {name: name for name in ("email", "sex", "restricted")}
    done, errors = imported(text, practice, Options(mapping=mapping, dry_run=False))
    assert (done.rows, done.created, errors) == (2, 2, [])
    owner = client_for("owner", practice)
    [ada] = owner.get(PATIENTS, {"search": "countess"}).json()["results"]
    shown = {name: ada[name] for name in ("given_name", "birth_date", "phone", "email", "sex", "restricted")}
    assert list(shown.values()) == ["Ada", "1815-12-10", "+12025550177", "ada@example.test", "female", True]
    assert len(owner.get(PATIENTS, {"search": "los"}).json()["results"]) == 1
    with practice_scope(practice, actor=SETUP):
        created = AuditEvent.objects.filter(entity="patients.patient", action="create")
        assert {each.entity_id for each in created} == set(Patient.objects.values_list("pk", flat=True))


def test_every_row_says_what_is_wrong_with_it_and_nothing_is_created(practice: Practice) -> None:
    text = (
        "given_name,family_name,birth_date,sex,phone,email,mrn,time_zone,restricted,deceased_at\n"
        "Ada,,1815-13-10,x,12,nobody,M1,Nowhere,maybe,yesterday\n"
        "Bo,Ek,2999-01-01,,,,M1,,,\n"
        "Cy,Fo,,,,,M2,,,\n"
        "Di,Go,,,,,M2,,,\n"
        "too,few\n"
        "Ed\x00,Ho,,,,,,,,\n"
    )
    done, errors = imported(text, practice)
    assert (done.rows, done.created, done.failed) == (6, 0, 5)
    assert errors == [
        (2, "family_name", "blank"),
        (2, "birth_date", "invalid"),
        (2, "sex", "invalid_choice"),
        (2, "phone", "invalid_phone"),
        (2, "email", "invalid_email"),
        (2, "time_zone", "invalid_time_zone"),
        (2, "restricted", "invalid"),
        (2, "deceased_at", "invalid"),
        (3, "birth_date", "in_future"),
        (5, "mrn", "unique"),
        (6, "", "wrong_number_of_cells"),
        (7, "given_name", "control_character"),
    ]
    assert names(practice) == []
    done, again = imported(text, practice, Options(dry_run=False, mode=Mode.VALID_ROWS))
    assert (done.created, again) == (1, errors)
    assert names(practice) == ["Cy"]
    done, _ = imported(text, practice, Options(mode=Mode.VALID_ROWS))
    assert (done.created, done.failed, names(practice)) == (0, 6, ["Cy"])  # M2 is taken now


@pytest.mark.parametrize("size", [1, 500])
@pytest.mark.parametrize(
    ("policy", "counts", "there"),
    [
        (Duplicates.REFUSE, (0, 0, 3), ["Ada"]),
        (Duplicates.SKIP, (1, 3, 0), ["Ada", "Cy"]),
        (Duplicates.CREATE, (4, 0, 0), ["Ada", "Ada", "Bo", "Cy", "Dee"]),
    ],
)
def test_likely_duplicates_are_refused_skipped_or_created(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, size: int, policy: Duplicates, counts: Any, there: list[str]
) -> None:
    """Of who is there, by name and birth date; of the file's own rows before, by telephone; in one batch or several."""
    monkeypatch.setattr(running, "BATCH", size)
    with practice_scope(practice, actor=SETUP):
        PatientFactory.create(given_name="Ada", family_name="Byron", birth_date="1815-12-10")
    text = (
        f"{HEAD}ADA,Byron,1815-12-10,\nCy,Fo,1990-01-01,202-555-0177\nBo,Ek,1991-01-01,202-555-0177\n"
        "Dee,Ek,1992-01-01,+12025550177\n"
    )
    text = text.replace("ADA", "Ada")
    done, _ = imported(text, practice, Options(dry_run=False, duplicates=policy))
    assert (done.created if not done.failed else 0, done.skipped, done.failed) == counts
    assert names(practice) == there
    with practice_scope(practice, actor=SETUP):
        flagged = Patient.objects.exclude(duplicate_reason="").count()
        assert flagged == (3 if policy is Duplicates.CREATE else 0)


def test_what_came_in_the_way_after_the_check_undoes_all(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "BATCH", 1)
    checked = checking.check
    calls: list[int] = []

    def meanwhile(batch: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:  # the second row is about to be written
            Patient.objects.create(given_name="Late", family_name="Comer", mrn="M2")
        return checked(batch, **kwargs)

    monkeypatch.setattr(running, "check", meanwhile)
    with pytest.raises(ImportRefused, match="changed_meanwhile"):
        imported("given_name,family_name,mrn\nAda,B,M1\nBo,C,M2\n", practice)
    assert names(practice) == []


def test_sound_rows_go_on_where_a_run_was_cut_off(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "BATCH", 1)
    text, sound = HEAD + "Ada,B,,\nBo,C,,\nCy,D,,\n", Options(dry_run=False, mode=Mode.VALID_ROWS)
    kept: list[Progress] = []

    def cut(progress: Progress) -> None:
        if progress.rows == 2:
            raise KeyboardInterrupt
        kept.append(Progress(progress.rows, progress.created))

    with pytest.raises(KeyboardInterrupt):
        run(lambda: io.StringIO(text), practice_id=practice.pk, by=SETUP, options=sound, report=cut)
    assert names(practice) == ["Ada"]
    done, _ = imported(text, practice, sound, so_far=kept[-1])
    assert (done.rows, done.created, names(practice)) == (3, 3, ["Ada", "Bo", "Cy"])


@pytest.mark.parametrize(
    ("content", "mapping", "code"),
    [
        ("", {}, "required_field_missing"),
        ("given_name\nAda\n", {}, "required_field_missing"),
        ("a,b\n1,2\n", {"First": "given_name"}, "unknown_heading"),
        ("a,b,c\n1,2,3\n", {"a": "given_name", "b": "given_name", "c": "family_name"}, "field_mapped_twice"),
        (HEAD + '"Ada\n', {}, "not_csv"),
        (HEAD + 'x"' + "y" * 200_000 + ",z,,\n", {}, "not_csv"),
    ],
)
def test_file_that_can_t_be_read_is_refused(practice: Practice, content: str, mapping: Any, code: str) -> None:
    with pytest.raises(ImportRefused, match=code):
        imported(content, practice, Options(mapping=mapping))


@pytest.mark.parametrize(
    "text", ["=1+1", "+49", "-1", "@x", "'=1", "''=1", "'x", "x=1", "", "\t=1", "'", " =1", "\xa0@x", "\uff1d1", " 'x"]
)
def test_cell_is_no_formula_and_comes_back(text: str) -> None:
    assert plain(cell(text)) == text
    assert not cell(text).strip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert not cell(text).startswith(("\t", "\r"))


def test_export_comes_back_as_it_was(practice: Practice, other_practice: Practice, tmp_path: Path) -> None:
    owner = client_for("owner", practice)
    people: list[dict[str, Any]] = [
        {"given_name": "=cmd|' /C calc'!A0", "family_name": "'+O\"Neil, x", "birth_date": "1984-01-01"},
        {"given_name": "-Zoë", "family_name": "Łoś", "birth_date_precision": "year", "birth_date": "1950-01-01"},
        {"given_name": "Ada", "family_name": "Byron", "phone": "+12025550177", "email": "ada@example.test"},
        {"given_name": "Bo", "family_name": "Ek", "restricted": True, "deceased_at": "2026-01-02T03:04:05.6Z"},
    ]
    for person in people:
        assert owner.post(PATIENTS, person).status_code == 201
    answer = owner.get(f"{PATIENTS}/export", headers={"Accept": CsvRenderer.media_type})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    text = answer.content.decode()
    assert not [part for line in text.splitlines() for part in line.split(",") if part[:1] in "=+-@" and part]
    done, errors = imported(text, other_practice)
    assert (done.created, errors) == (4, [])
    theirs = client_for("owner", other_practice).get(f"{PATIENTS}/export")
    assert theirs.content == answer.content
    file, out = tmp_path / "all.csv", io.StringIO()
    call_command("export_patients", "--practice", practice.slug, stdout=out)
    file.write_text(out.getvalue(), newline="")
    assert sorted(out.getvalue().splitlines()) == sorted(text.splitlines())
    with practice_scope(practice, actor=SETUP):
        exported = AuditEvent.objects.filter(action="export", entity="patients.patient").order_by("id")
        assert [(each.actor_kind, len(each.patient_ids)) for each in exported] == [("user", 4), ("system", 4)]


def test_export_is_for_owners_and_admins_and_filtered(practice: Practice, ada: Patient, stranger: MemberClient) -> None:
    with practice_scope(practice, actor=SETUP):
        PatientFactory.create(given_name="Bo", family_name="Ek")
    found = client_for("admin", practice).get(f"{PATIENTS}/export", {"search": "byron"}).content.decode()
    assert ("Ada" in found, "Bo" in found) == (True, False)
    for role in ("provider", "assistant", "front_desk", "biller", "auditor"):
        assert client_for(role, practice).get(f"{PATIENTS}/export").status_code == 403, role
    assert stranger.get(f"{PATIENTS}/export").content.decode().strip() == ",".join(FIELDS)


def test_more_than_a_file_takes_is_refused(practice: Practice, ada: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patients.views.patients.MAX_PATIENTS", 0)
    answer = client_for("owner", practice).get(f"{PATIENTS}/export")
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_patients")


def test_command_tries_first_and_shows_how_far_it_is(practice: Practice, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(HEAD.replace("given_name", "First") + "Ada,Byron,,\nBo,,,\n")

    def said(*options: str) -> str:
        out = io.StringIO()
        call_command(
            "import_patients", str(file), "--practice", "alder", "--map", "First=given_name", *options, stdout=out
        )
        return out.getvalue()

    more = ("--map", "family_name=family_name")
    with pytest.raises(CommandError, match="1 rows can't be imported"):
        said(*more, "--apply")
    with pytest.raises(CommandError, match="required_field_missing"):
        said()
    with pytest.raises(CommandError, match="no field"):
        said("--map", "a=b")
    with pytest.raises(CommandError, match="no practice"):
        call_command("import_patients", str(file), "--practice", "nowhere")
    with pytest.raises(CommandError, match="can't be read"):
        call_command("import_patients", str(tmp_path / "none"), "--practice", "alder")
    assert names(practice) == []
    told = said(*more, "--apply", "--valid-rows")
    assert "2 rows: 1 created, 0 skipped, 1 refused." in told
    assert "line 3: family_name: blank" in told
    assert "100%" in told
    assert names(practice) == ["Ada"]
    file.write_bytes(b"\xff\xfe,\n")
    with pytest.raises(CommandError, match="not_utf8"):
        said(*more)


def in_a_thread(work: Callable[[], Any]) -> threading.Thread:
    """With a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def registered(practice: Practice, *, until: Callable[[], Any] = lambda: None, **person: Any) -> None:
    """Somebody is typed in, and saved when `until` comes back."""
    with practice_scope(practice, actor=SETUP):
        create_patient(by=SETUP, **person)
        until()


def somebody_queues() -> None:
    """Comes back when a connection waits for an advisory lock; in five seconds at the latest."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone() != (0,):
                return
        time.sleep(0.01)


ADA = {"given_name": "Ada", "family_name": "Byron", "birth_date": date(1815, 12, 10)}
LINE = "Ada,Byron,1815-12-10,\n"


@pytest.mark.django_db(transaction=True)
def test_rows_wait_for_whoever_is_being_typed_in(practice: Practice) -> None:
    typed = threading.Event()

    def until() -> None:
        typed.set()
        somebody_queues()

    thread = in_a_thread(lambda: registered(practice, until=until, **ADA))
    assert typed.wait(5)
    options = Options(dry_run=False, mode=Mode.VALID_ROWS)
    done, errors = imported(HEAD + LINE + "Bo,Ek,,\n", practice, options)
    thread.join()
    assert (done.created, errors) == (1, [(2, "", "possible_duplicate")])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("person", "policy", "refused"),
    [
        (ADA, Duplicates.REFUSE, True),
        ({"given_name": "Cy", "family_name": "Fo", "phone": "+12025550177"}, Duplicates.SKIP, True),
        (ADA, Duplicates.CREATE, False),
        ({"given_name": "Cy", "family_name": "Fo"}, Duplicates.REFUSE, False),
    ],
)
def test_whoever_is_typed_in_while_all_is_written_undoes_it(
    practice: Practice, person: dict[str, Any], policy: Duplicates, refused: bool
) -> None:
    def tell(rows: int) -> None:
        in_a_thread(lambda: registered(practice, **person)).join()

    text, options = HEAD + LINE + "Bo,Ek,,(202) 555-0177\n", Options(dry_run=False, duplicates=policy)
    if refused:
        with pytest.raises(ImportRefused, match="changed_meanwhile"):
            imported(text, practice, options, tell=tell)
        assert names(practice) == [person["given_name"]]
    else:
        assert imported(text, practice, options, tell=tell)[0].created == 2
        assert len(names(practice)) == 3
