"""The embedded PostgreSQL and Valkey, started for real in folders of their own."""

import json
import os
import shutil
import signal
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from config import embedded
from config.embedded import account, state
from tests.platform.conftest import Run

pytestmark = pytest.mark.machinery
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes accounts")


def ensure(folder: Path, **options: bool) -> embedded.Services:
    return embedded.ensure(folder, durable=False, **options)


def rows(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def server_pid(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def test_logins_own_the_database_or_are_bound_by_policies(state_dir: Path) -> None:
    services = ensure(state_dir)
    attributes = "SELECT rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolinherit FROM pg_roles"
    assert rows(services.database_url, f"{attributes} WHERE rolname LIKE 'practice%' ORDER BY 1") == [
        ("practice_owner", False, False, True, False, True),
        ("practice_runtime", False, False, False, False, False),
    ]
    memberships = "SELECT count(*) FROM pg_auth_members WHERE member = 'practice_runtime'::regrole"
    assert rows(services.database_url, memberships) == [(0,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(services.database_url, "CREATE TABLE public.mine (id int)")
    rows(services.database_owner_url, "CREATE TABLE public.ours (id int)")
    rows(services.database_owner_url, "CREATE DATABASE test_practice")
    in_tests = services.database_owner_url.removesuffix("practice") + "test_practice"
    extensions = [name for (name,) in rows(in_tests, "SELECT extname FROM pg_extension ORDER BY 1")]
    assert extensions == ["btree_gist", "citext", "pg_stat_statements", "pg_trgm", "plpgsql", "unaccent"]


def test_nobody_gets_in_without_the_password(state_dir: Path) -> None:
    services = ensure(state_dir)
    stored = json.loads((state_dir / "services.json").read_text())
    for url, password in ((services.database_url, "runtime"), (services.database_owner_url, "owner")):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            rows(url.replace(stored[f"{password}_password"], "wrong"), "SELECT 1")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=stored["redis_port"]).ping()
    assert stat.S_IMODE((state_dir / "services.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((state_dir / "postgres").stat().st_mode) == 0o700


def test_second_call_starts_nothing_and_is_quick(state_dir: Path) -> None:
    first = ensure(state_dir)
    started = time.perf_counter()
    second = ensure(state_dir)
    assert time.perf_counter() - started < 0.5
    assert (sorted(first.started), sorted(second.started)) == (["postgres", "redis"], [])
    assert first.environment == second.environment


def test_only_what_is_asked_for_is_started(state_dir: Path) -> None:
    assert ensure(state_dir, postgres=False).started == {"redis"}
    assert embedded.status(state_dir) == {"postgres": False, "redis": True}


def test_data_outlives_a_stop(state_dir: Path) -> None:
    services = ensure(state_dir)
    rows(services.database_owner_url, "CREATE TABLE kept AS SELECT 7 AS n")
    redis.Redis.from_url(services.redis_url).set("kept", "7")
    embedded.stop(state_dir)
    assert embedded.status(state_dir) == {"postgres": False, "redis": False}
    again = ensure(state_dir)
    assert rows(again.database_owner_url, "SELECT n FROM kept") == [(7,)]
    assert redis.Redis.from_url(again.redis_url).get("kept") == b"7"


def test_killed_servers_are_started_again(state_dir: Path) -> None:
    ensure(state_dir)
    valkey_pid = int((state_dir / "valkey" / "valkey.pid").read_text())
    os.kill(server_pid(state_dir), signal.SIGKILL)
    os.kill(valkey_pid, signal.SIGKILL)
    services = ensure(state_dir)
    assert services.started == {"postgres", "redis"}
    assert rows(services.database_url, "SELECT 1") == [(1,)]


def test_pid_file_of_another_process_does_not_stop_the_start(state_dir: Path) -> None:
    ensure(state_dir)
    pid_file = state_dir / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    embedded.stop(state_dir)
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))  # a number that was reused after a reboot
    assert rows(ensure(state_dir).database_url, "SELECT 1") == [(1,)]


def test_lost_passwords_are_set_anew_and_data_kept(state_dir: Path) -> None:
    rows(ensure(state_dir).database_owner_url, "CREATE TABLE kept AS SELECT 7 AS n")
    embedded.stop(state_dir)
    (state_dir / "services.json").write_text("{half")
    assert rows(ensure(state_dir).database_owner_url, "SELECT n FROM kept") == [(7,)]


def test_interrupted_initialisation_is_done_again(state_dir: Path) -> None:
    (state_dir / "postgres.new" / "base").mkdir(parents=True)
    (state_dir / "postgres").mkdir()
    assert rows(ensure(state_dir, redis=False).database_url, "SELECT 1") == [(1,)]


def test_interrupted_preparation_is_done_again(state_dir: Path) -> None:
    ensure(state_dir)
    stored = state.load(state_dir)
    assert stored is not None
    stored.prepared = False
    state.save(state_dir, stored)
    assert rows(ensure(state_dir).database_url, "SELECT 1") == [(1,)]


def test_incomplete_data_folder_says_the_cure(state_dir: Path) -> None:
    (state_dir / "postgres").mkdir()
    (state_dir / "postgres" / "PG_VERSION").write_text("18")
    with pytest.raises(embedded.EmbeddedError, match=r"global/pg_control is missing.*: delete or restore it"):
        ensure(state_dir)


def test_data_of_another_version_says_the_cure(state_dir: Path) -> None:
    ensure(state_dir, redis=False)
    embedded.stop(state_dir)
    (state_dir / "postgres" / "PG_VERSION").write_text("9.6")
    with pytest.raises(embedded.EmbeddedError, match=r"was made by PostgreSQL 9.6 .*: set STATE_DIR"):
        ensure(state_dir)


def test_taken_ports_are_chosen_again(state_dir: Path) -> None:
    before = ensure(state_dir)
    embedded.stop(state_dir)
    stored = state.load(state_dir)
    assert stored is not None
    with (
        socket.create_server(("127.0.0.1", stored.postgres_port)),
        socket.create_server(("127.0.0.1", stored.redis_port)),
    ):
        after = ensure(state_dir)
    assert (before.database_url == after.database_url, before.redis_url == after.redis_url) == (False, False)
    assert rows(after.database_url, "SELECT 1") == [(1,)]


def test_two_starts_at_once_make_one_cluster(state_dir: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        services = list(threads.map(lambda _: ensure(state_dir), range(4)))
    assert len({each.database_url for each in services}) == 1
    assert sorted(len(each.started) for each in services) == [0, 0, 0, 2]


def test_folder_that_cannot_be_written_says_the_cure() -> None:
    with pytest.raises(embedded.EmbeddedError, match="set STATE_DIR to a folder you own"):
        ensure(Path("/proc/nowhere"))


def test_binaries_from_another_folder_must_be_there(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDED_POSTGRES_BIN", "/nowhere")
    with pytest.raises(embedded.EmbeddedError, match="holds no initdb"):
        ensure(state_dir)


@as_root
def test_state_that_the_account_cannot_enter_lies_elsewhere(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "ROOTS_PLACE", state_dir / "var")
    hidden = tmp_path / "private"
    hidden.mkdir(mode=0o700)
    try:
        services = ensure(hidden / "state")
        assert rows(services.database_url, "SELECT 1") == [(1,)]
        assert sorted(path.name for path in (hidden / "state").iterdir()) == ["services.json", "services.lock"]
        assert ensure(hidden / "state").started == frozenset()
    finally:
        embedded.stop(hidden / "state")


@as_root
def test_packages_that_the_account_cannot_enter_are_copied_once(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "ROOTS_PLACE", state_dir / "var")
    tmp_path.chmod(0o700)
    package = tmp_path / "package"
    package.mkdir()
    (package / "program").write_text("binary")
    nobody = account.Account(65534, 65534)
    copy = nobody.reachable_copy([package])
    assert (copy / "package" / "program").read_text() == "binary"
    assert nobody.can_enter(copy / "package")
    assert nobody.reachable_copy([package]) == copy
    shutil.rmtree(copy)


def test_run_gives_addresses_and_stops_what_it_started(state_dir: Path, run: Run) -> None:
    code = "import os; print(os.environ['DATABASE_URL'][:27], os.environ['REDIS_URL'][:8]); raise SystemExit(7)"
    done = run("-m", "config.embedded", "run", "--", "python3", "-c", code, STATE_DIR=str(state_dir))
    assert (done.returncode, done.stdout) == (7, "postgres://practice_runtime redis://\n")
    assert embedded.status(state_dir) == {"postgres": False, "redis": False}


def test_run_leaves_alone_what_ran_before(state_dir: Path, run: Run) -> None:
    ensure(state_dir)
    run("-m", "config.embedded", "run", "--", "true", STATE_DIR=str(state_dir))
    assert embedded.status(state_dir) == {"postgres": True, "redis": True}
    assert run("-m", "config.embedded", "stop", STATE_DIR=str(state_dir)).returncode == 0
    assert run("-m", "config.embedded", "status", STATE_DIR=str(state_dir)).returncode == 3
