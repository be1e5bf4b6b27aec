"""What lies on disk: PostgreSQL's own files, its log of writes and a dump hold no encrypted value, and a practice whose
keys were destroyed can't be read from an older dump either, while others can.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cryptography.fernet import Fernet
from django.conf import settings as configured
from django.db import connection
from pytest_django import Settings

from config.embedded.state import load
from patients.models import ContactPoint, Patient
from practices import encryption
from practices.encryption import Ciphertext, KeysDestroyed, KeyUnreadable, keys
from practices.models import Practice, PracticeKey
from practices.tenancy import practice_scope
from tests.factories.patients import ContactPointFactory, PatientFactory
from tests.patients.conftest import SETUP
from tests.patients.test_no_plaintext import SECRETS, use

pytestmark = [pytest.mark.machinery, pytest.mark.django_db(transaction=True)]
KEYS = PracticeKey._meta.db_table
IN_PLAIN = b"Plainasday"
"""A name, which is not encrypted: where it isn't found, nothing was looked at."""


class Server:
    """The test database, as who runs it sees it."""

    def __init__(self) -> None:
        stored = load(configured.STATE_DIR)
        assert stored is not None, "tests run on the embedded services"
        self.database = str(connection.settings_dict["NAME"])
        self.password = stored.superuser_password
        self.login: dict[str, Any] = {"host": "127.0.0.1", "port": str(stored.postgres_port), "user": "postgres"}
        self.data, self.programs = Path(self.ask("SHOW data_directory")), Path(self.bindir())

    def ask(self, sql: str) -> Any:
        with psycopg.connect(**self.login, password=self.password, dbname=self.database, autocommit=True) as superuser:
            cursor = superuser.execute(sql)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def bindir(self) -> str:
        return str(self.ask("SELECT setting FROM pg_config WHERE name = 'BINDIR'"))

    def files(self, since: str) -> Iterator[Path]:
        """The database's, and what was written ahead of them since."""
        oid = self.ask("SELECT oid FROM pg_database WHERE datname = current_database()")
        yield from (self.data / "base" / str(oid)).iterdir()
        first = self.ask(f"SELECT pg_walfile_name('{since}')")
        last = self.ask("SELECT pg_walfile_name(pg_current_wal_lsn())")
        yield from (path for path in (self.data / "pg_wal").iterdir() if first <= path.name <= last)

    def dump(self, *options: str) -> bytes:
        done = subprocess.run(  # noqa: S603  # PostgreSQL's own
            [str(self.programs / "pg_dump"), *options, self.database],
            env={
                **os.environ,
                **{f"PG{name.upper()}": value for name, value in self.login.items()},
                "PGPASSWORD": self.password,
            },
            capture_output=True,
            check=True,
        )
        return done.stdout


def found(content: bytes) -> list[str]:
    folded = content.lower()
    return [secret for secret in SECRETS if secret.lower().encode() in folded]


def rows_of(dump: bytes, table: str) -> dict[UUID, dict[str, str]]:
    """Id -> columns, out of the dump's COPY."""
    lines = dump.decode().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"COPY public.{table} ("))
    names = [name.strip('" ') for name in lines[start].partition("(")[2].partition(")")[0].split(",")]
    end = lines.index("\\.", start)
    rows = [dict(zip(names, line.split("\t"), strict=True)) for line in lines[start + 1 : end]]
    return {UUID(row["id"]): row for row in rows}


def opened(practice: Practice, contacts: dict[UUID, dict[str, str]]) -> list[str]:
    """The practice's contact points out of a dump, with the keys of today."""
    keys.forget(practice.pk)
    with practice_scope(practice, actor=SETUP):
        return [
            Ciphertext(row["value"], ContactPoint._meta.db_table, "value").reveal(pk)
            for pk, row in contacts.items()
            if UUID(row["practice_id"]) == practice.pk
        ]


def test_no_file_and_no_dump_holds_an_encrypted_value(practice: Practice) -> None:
    server = Server()
    since = server.ask("SELECT pg_current_wal_lsn()")
    with practice_scope(practice, actor=SETUP):
        ada: Patient = PatientFactory.create(family_name=IN_PLAIN.decode())
    use(practice, ada)
    server.ask("CHECKPOINT")
    contents = {path: path.read_bytes() for path in server.files(str(since))}
    assert {path.parent.name == "pg_wal" for path, content in contents.items() if IN_PLAIN in content} == {True, False}
    assert {path.name: found(content) for path, content in contents.items() if found(content)} == {}
    dump = server.dump()
    assert IN_PLAIN in dump
    assert found(dump) == []


def test_shredded_practice_is_unreadable_in_an_older_dump_and_others_are_not(
    practice: Practice, other_practice: Practice, settings: Settings
) -> None:
    server, old_key = Server(), configured.FIELD_ENCRYPTION_KEYS[0]
    for each, number in ((practice, "+12025550177"), (other_practice, "+12025550178")):
        with practice_scope(each, actor=SETUP):
            ContactPointFactory.create(value=number)
    dump = server.dump("--data-only", f"--table={ContactPoint._meta.db_table}", f"--table={KEYS}")
    apart = server.dump("--data-only", f"--exclude-table-data={KEYS}")
    older, wrapped = rows_of(dump, ContactPoint._meta.db_table), rows_of(dump, KEYS)
    assert [opened(each, older) for each in (practice, other_practice)] == [["+12025550177"], ["+12025550178"]]
    with practice_scope(practice, actor=SETUP):
        encryption.shred()
    # With the keys in a dump of their own, of which the newest alone is kept, that is all there is to do.
    assert [row["wrapped"] for row in wrapped.values() if row["wrapped"].encode() in apart] == []
    with pytest.raises(KeysDestroyed):
        opened(practice, older)
    assert opened(other_practice, older) == ["+12025550178"]
    # A dump that has the old keys as well is closed by replacing what they were wrapped in.
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), old_key]
    for each in (practice, other_practice):
        with practice_scope(each, actor=SETUP):
            keys.rewrap()
    settings.FIELD_ENCRYPTION_KEYS = settings.FIELD_ENCRYPTION_KEYS[:1]
    assert opened(other_practice, older) == ["+12025550178"]
    with practice_scope(practice, actor=SETUP):
        for key in PracticeKey.objects.all():
            key.wrapped, key.destroyed_at = wrapped[key.pk]["wrapped"], None
            key.save()
    with pytest.raises(KeyUnreadable):
        opened(practice, older)
