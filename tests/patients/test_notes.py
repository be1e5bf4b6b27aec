from typing import Any

import pytest

from audit.models import AuditEvent
from patients.models import Patient, PatientNote
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import PatientFactory
from tests.patients.conftest import SETUP
from tests.patients.parts import errors, refusal, url, without_stamps

TEXT = "Complains of headaches.\nSleeps badly."


@pytest.fixture
def author(practice: Practice) -> MemberClient:
    return client_for("provider", practice)


def draft(author: MemberClient, patient: Patient, **fields: Any) -> str:
    """The address of a new one."""
    written = author.post(url(patient, "notes"), {"text": TEXT, **fields})
    assert written.status_code == 201, written.content
    return str(written["Location"])


def signed(author: MemberClient, patient: Patient, **fields: Any) -> str:
    path = draft(author, patient, **fields)
    assert author.post(f"{path}/sign").status_code == 200
    return path


def test_draft_is_written_edited_and_signed_by_its_author(author: MemberClient, ada: Patient) -> None:
    path = draft(author, ada, title="First visit")
    assert without_stamps(author.get(path).json()) == {
        "author": str(author.user.pk),
        "title": "First visit",
        "text": TEXT,
        "amends": None,
        "signed_at": None,
    }
    assert author.patch(path, {"text": "Sleeps well."}, headers={"If-Match": '"1"'}).json()["text"] == "Sleeps well."
    assert author.post(f"{path}/sign", headers={"If-Match": '"1"'}).status_code == 412
    done = author.post(f"{path}/sign", headers={"If-Match": '"2"'}).json()
    assert (done["version"], done["signed_at"] is not None) == (3, True)


def test_signed_note_is_locked(author: MemberClient, ada: Patient, practice: Practice) -> None:
    path = signed(author, ada)
    assert refusal(author.patch(path, {"text": "Never said."})) == (409, "note_signed")
    assert refusal(author.delete(path)) == (409, "note_signed")
    assert refusal(author.post(f"{path}/sign")) == (409, "note_signed")
    with practice_scope(practice, actor=SETUP):
        note = PatientNote.objects.get()
        every = PatientNote.objects.all()
        for change in (note.save, note.delete, every.delete, lambda: every.update(text="Never said.")):
            with pytest.raises(TypeError):
                change()
    assert author.get(path).json()["text"] == TEXT


def test_signed_note_is_amended_by_another(author: MemberClient, ada: Patient, practice: Practice) -> None:
    first = signed(author, ada).rpartition("/")[2]
    colleague = client_for("provider", practice)
    amendment = signed(colleague, ada, amends=first)
    assert colleague.get(amendment).json()["amends"] == first
    assert author.get(url(ada, "notes")).json()["results"][0]["amends"] == first
    unsigned = draft(author, ada).rpartition("/")[2]
    with practice_scope(practice, actor=SETUP):
        other = PatientFactory.create()
    elsewhere = signed(author, other).rpartition("/")[2]
    for amends in (unsigned, elsewhere):
        assert errors(author.post(url(ada, "notes"), {"text": "No.", "amends": amends})) == {"/amends": "not_signed"}
    assert refusal(author.patch(url(ada, "notes", unsigned), {"amends": first})) == (400, "unknown_field")


def test_draft_is_discarded_by_its_author_alone(author: MemberClient, ada: Patient, practice: Practice) -> None:
    path = draft(author, ada)
    colleague = client_for("provider", practice)
    assert colleague.get(path).status_code == 200
    answers = [colleague.patch(path, {"text": "Mine."}), colleague.post(f"{path}/sign"), colleague.delete(path)]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert author.delete(path).status_code == 204
    assert author.get(path).status_code == 404


@pytest.mark.parametrize("role", ["owner", "admin", "front_desk", "biller", "auditor"])
def test_notes_are_for_those_who_treat(role: str, author: MemberClient, ada: Patient, practice: Practice) -> None:
    path = draft(author, ada)
    client = client_for(role, practice)
    assert client.get(path).status_code == client.get(url(ada, "notes")).status_code == 403
    assert client.post(url(ada, "notes"), {"text": "Hello"}).status_code == 403


def test_assistant_reads_notes_and_writes_none(author: MemberClient, ada: Patient, practice: Practice) -> None:
    assistant = client_for("assistant", practice)
    assert assistant.get(draft(author, ada)).status_code == 200
    assert assistant.post(url(ada, "notes"), {"text": "Hello"}).status_code == 403


def test_note_of_a_closed_chart_is_refused(author: MemberClient, ada: Patient, practice: Practice) -> None:
    path = draft(author, ada)
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(status="archived")
    for answer in (author.post(url(ada, "notes"), {"text": "Late."}), author.post(f"{path}/sign")):
        assert refusal(answer) == (409, "patient_archived")


def test_strangers_find_no_note(author: MemberClient, stranger: MemberClient, ada: Patient) -> None:
    path = draft(author, ada)
    assert [stranger.get(path).status_code, stranger.patch(path, {}).status_code] == [404, 404]


def test_log_of_a_note_names_the_patient_and_tells_no_text(
    author: MemberClient, ada: Patient, practice: Practice
) -> None:
    signed(author, ada, title="Headache")
    with practice_scope(practice, actor=SETUP):
        events = AuditEvent.objects.filter(entity="patients.patientnote")
        assert {tuple(event.patient_ids) for event in events} == {(ada.pk,)}
        assert sorted(event.action for event in events) == ["create", "update"]
        assert "eadache" not in str([event.changes for event in events])
