"""What is done to charts. The caller has checked that `by` may; who acted is recorded by the scope."""

from patients.services.consents import record_consent
from patients.services.contacts import add_contact, change_contact
from patients.services.identifiers import add_identifier, change_identifier
from patients.services.notes import change_note, discard_note, sign_note, write_note
from patients.services.parts import add, change, remove
from patients.services.patients import archive, create_patient, unarchive, update_patient

__all__ = [
    "add",
    "add_contact",
    "add_identifier",
    "archive",
    "change",
    "change_contact",
    "change_identifier",
    "change_note",
    "create_patient",
    "discard_note",
    "record_consent",
    "remove",
    "sign_note",
    "unarchive",
    "update_patient",
    "write_note",
]
