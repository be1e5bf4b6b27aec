"""PostgreSQL's own refusal of rows that name a merged patient, whoever writes them and however.

A trigger on every key that a merge moves looks at the patient and shares a lock on it, which a merge takes alone: a row
that is being added is waited for and moved along, and one that comes later is refused. Keys themselves are checked at
commit, too late for either. A row that a merge left with its patient may be saved: a visit is cancelled so. Installed
after migrating where it is missing, so that a new key has it by itself.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connections

from patients.keys import PatientKey, moved_keys

CONSTRAINT = "patient_not_merged"
"""What the error names, as if it were a constraint of the table."""
TRIGGER = "refuse_merged_patient"
_FUNCTION = """
CREATE OR REPLACE FUNCTION patients_refuse_merged_{column}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.{column} = NEW.{column} THEN
        RETURN NEW;
    END IF;
    SELECT status, merged_into_id INTO found FROM patients_patient
        WHERE practice_id = NEW.practice_id AND id = NEW.{column} FOR KEY SHARE;
    IF found.status = 'merged' THEN
        RAISE EXCEPTION 'This patient was merged.' USING ERRCODE = 'check_violation', CONSTRAINT = '{constraint}',
            DETAIL = found.merged_into_id;
    END IF;
    RETURN NEW;
END $$
"""
_CREATE = """
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE OF {column} ON {table}
    FOR EACH ROW WHEN (NEW.{column} IS NOT NULL) EXECUTE FUNCTION patients_refuse_merged_{column}()
"""


def trigger_of(key: PatientKey) -> str:
    return f"{TRIGGER}_{key.field.column}"[:63]


def missing(using: str = "default") -> Iterator[PatientKey]:
    """Keys of tables that are there, without their trigger."""
    with connections[using].cursor() as cursor:
        for key in moved_keys():
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = a.attrelid AND tgname = %s)"
                " FROM pg_attribute AS a WHERE a.attrelid = to_regclass(%s) AND a.attname = %s AND NOT a.attisdropped",
                [trigger_of(key), key.model._meta.db_table, key.field.column],
            )
            if (row := cursor.fetchone()) is not None and not row[0]:
                yield key


def install(using: str, **kwargs: Any) -> None:
    """Run by the owner's login only."""
    if using != "owner":
        return
    keys = list(missing(using))
    with connections[using].cursor() as cursor:
        for column in sorted({key.field.column for key in moved_keys()}):
            cursor.execute(_FUNCTION.format(column=column, constraint=CONSTRAINT))
        for key in keys:
            table, column = key.model._meta.db_table, key.field.column
            cursor.execute(_CREATE.format(trigger=trigger_of(key), table=table, column=column))
