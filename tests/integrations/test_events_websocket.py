"""The event stream of the real server, over real sockets."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from accounts.models import Membership
from accounts.sessions import log_out_everywhere
from integrations.events import log
from integrations.events.feed import TRY_AGAIN_LATER
from integrations.events.wake import wake
from patients.models import AccessGrant, Patient
from practices.models import Practice, new_id
from practices.tenancy import Actor, practice_scope
from tests.clients import MemberClient, client_for
from tests.integrations.live import LiveServer, close_code, free_port
from tests.rows import make_row

pytestmark = pytest.mark.django_db(transaction=True)

BY = Actor.system("tests")
APP = "https://app.clinic.test"
QUICK = {"EVENTS_HEARTBEAT_SECONDS": "0.5", "EVENTS_SEND_SECONDS": "1", "EVENTS_RESUME_SECONDS": "0.5"}


@pytest.fixture(scope="module")
def server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One for most tests; none of them may make it log a traceback."""
    output = tmp_path_factory.mktemp("server") / "server.log"
    with LiveServer({**QUICK, "CORS_ALLOWED_ORIGINS": APP}, output=output) as started:
        yield started
    assert "Traceback" not in output.read_text()


@pytest.fixture
def member(practice: Practice) -> MemberClient:
    return client_for("front_desk", practice)


def ticket_of(client: MemberClient) -> str:
    ticket: str = client.post("/api/v1/auth/websocket-ticket").json()["ticket"]
    return ticket


def add_patient(practice: Practice, **fields: Any) -> Patient:
    with practice_scope(practice, actor=BY):
        patient: Patient = Patient.objects.create(given_name="Ada", family_name="Vale", **fields)
        return patient


def log_events(practice: Practice, count: int) -> None:
    with practice_scope(practice, actor=BY):
        log.append(practice.pk, [log.Change("appointment.updated", new_id(), 1) for _ in range(count)])


def test_change_is_sent_and_says_only_which(server: LiveServer, practice: Practice, member: MemberClient) -> None:
    with server.listening(ticket_of(member), resume=0) as listening:
        patient = add_patient(practice)
        event = listening.event()
    at = event.pop("at")
    assert event == {"seq": 1, "type": "patient.created", "id": str(patient.pk), "version": 1}
    assert at.endswith("Z")


def test_redis_wakes_the_server_long_before_it_would_look(practice: Practice, member: MemberClient) -> None:
    with (
        LiveServer({**QUICK, "EVENTS_POLL_SECONDS": "60"}) as server,
        server.listening(ticket_of(member), resume=0) as listening,
    ):
        for seq in (1, 2, 3):
            log_events(practice, 1)
            wake(practice.pk)
            assert listening.event()["seq"] == seq


def test_suspended_member_hears_nothing_more_within_a_second(practice: Practice, member: MemberClient) -> None:
    with (
        LiveServer({**QUICK, "EVENTS_POLL_SECONDS": "60"}) as server,
        server.listening(ticket_of(member), resume=0) as listening,
    ):
        log_events(practice, 1)
        wake(practice.pk)
        assert listening.event()["seq"] == 1
        with practice_scope(practice, actor=BY):
            suspend(practice, member)
        assert listening.close_code(timeout=1) == 4401


def test_client_that_resumes_nowhere_hears_what_follows(
    server: LiveServer, practice: Practice, member: MemberClient
) -> None:
    log_events(practice, 3)
    with server.listening(ticket_of(member)) as listening:
        assert listening.message()["type"] == "heartbeat"
        log_events(practice, 1)
        assert listening.event()["seq"] == 4


def test_heartbeat_says_how_far_the_client_is(server: LiveServer, practice: Practice, member: MemberClient) -> None:
    add_patient(practice, restricted=True)  # not for the front desk
    with server.listening(ticket_of(member), resume=0) as listening:
        message = listening.message()
        assert (message["type"], message["seq"]) == ("heartbeat", 1)


def test_resume_reaches_back_beyond_what_is_in_memory(
    server: LiveServer, practice: Practice, member: MemberClient
) -> None:
    log_events(practice, 1500)
    with server.listening(ticket_of(member), resume=0) as listening:
        assert listening.seqs(1500) == list(range(1, 1501))
        log_events(practice, 1200)
        assert listening.seqs(1200) == list(range(1501, 2701))
        listening.socket.send(json.dumps({"resume": 2690}))
        assert listening.seqs(10) == list(range(2691, 2701))


def test_resume_from_an_event_that_never_was_tells_the_client_to_start_anew(
    server: LiveServer, practice: Practice, member: MemberClient
) -> None:
    log_events(practice, 2)
    with server.listening(ticket_of(member), resume=99) as listening:
        message = listening.event()
        assert (message["type"], message["seq"]) == ("reset", 2)
        log_events(practice, 1)
        assert listening.event()["seq"] == 3


def test_several_listeners_hear_the_same(server: LiveServer, practice: Practice, member: MemberClient) -> None:
    with (
        server.listening(ticket_of(member), resume=0) as first,
        server.listening(ticket_of(client_for("biller", practice)), resume=0) as second,
    ):
        log_events(practice, 5)
        assert first.seqs(5) == second.seqs(5) == [1, 2, 3, 4, 5]


def test_another_practices_events_are_never_heard(
    server: LiveServer, practice: Practice, other_practice: Practice, member: MemberClient
) -> None:
    stranger = client_for("owner", other_practice)
    with (
        server.listening(ticket_of(stranger), resume=0) as elsewhere,
        server.listening(ticket_of(member), resume=0) as here,
    ):
        log_events(practice, 3)
        assert here.seqs(3) == [1, 2, 3]
        mine = add_patient(other_practice)
        event = elsewhere.event()
        assert (event["seq"], event["id"]) == (1, str(mine.pk))
        with pytest.raises(TimeoutError):
            elsewhere.event(timeout=1.5)


def test_restricted_patients_are_heard_of_by_those_who_see_them(
    server: LiveServer, practice: Practice, member: MemberClient
) -> None:
    with (
        server.listening(ticket_of(client_for("admin", practice)), resume=0) as admin,
        server.listening(ticket_of(let_in := client_for("provider", practice)), resume=0) as provider,
        server.listening(ticket_of(member), resume=0) as front_desk,
    ):
        hidden = add_patient(practice, restricted=True)
        add_patient(practice)
        assert admin.seqs(2) == [1, 2]
        assert provider.seqs(1) == front_desk.seqs(1) == [2]
        with practice_scope(practice, actor=BY):
            make_row(AccessGrant, patient=hidden, user=let_in.user, expires_at=timezone.now() + timedelta(minutes=1))
            Patient.objects.filter(pk=hidden.pk).update(pronouns="they")
        add_patient(practice)
        assert provider.seqs(2) == [3, 4]
        assert front_desk.seqs(1) == [4]


def test_ticket_opens_one_connection(server: LiveServer, member: MemberClient) -> None:
    ticket = ticket_of(member)
    with server.listening(ticket) as first:
        assert first.message()["type"] == "heartbeat"
        with server.connect(ticket) as second:
            assert close_code(second) == 4401
        assert first.message()["type"] == "heartbeat"


@pytest.mark.parametrize("ticket", ["", "x", "A" * 54, "%00", "A" * 2000])
def test_bad_ticket_is_told_so(server: LiveServer, ticket: str) -> None:
    with server.connect(ticket) as refused:
        assert close_code(refused) == 4401


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "http://127.0.0.1", "http://[", "http://localhost.evil.test"]
)
def test_foreign_origin_is_refused_and_leaves_the_ticket(server: LiveServer, member: MemberClient, origin: str) -> None:
    ticket = ticket_of(member)
    with server.connect(ticket, origin=origin) as refused:
        assert close_code(refused) == 4403
    with server.listening(ticket) as listening:
        assert listening.message()["type"] == "heartbeat"


def test_own_origin_and_configured_ones_are_let_in(server: LiveServer, member: MemberClient) -> None:
    for origin in (f"http://{server.host}", APP):
        with server.connect(ticket_of(member), origin=origin) as allowed:
            assert json.loads(allowed.recv(timeout=5))["type"] == "heartbeat"


def test_other_paths_are_refused(server: LiveServer) -> None:
    with pytest.raises(InvalidStatus), connect(f"ws://{server.host}/ws/v1/other"):
        pass


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{}", 1008),
        ("not json", 1008),
        ("[1]", 1008),
        ("3", 1008),
        ('{"resume": -1}', 1008),
        ('{"resume": 1.0}', 1008),
        ('{"resume": true}', 1008),
        ('{"resume": "1"}', 1008),
        ('{"resume": 99999999999999999999999}', 1008),
        ('{"resume": 1, "more": 1}', 1008),
        ("[" * 199, 1008),
        ("\x00", 1008),
        ("x" * 201, 1009),
        ("x" * 10_000, 1009),
        (b"\xff\xfe", 1003),
    ],
)
def test_unknown_message_closes_with_a_code(
    server: LiveServer, member: MemberClient, message: str | bytes, code: int
) -> None:
    with server.connect(ticket_of(member)) as socket:
        socket.send(message)
        assert close_code(socket) == code


def test_client_that_resumes_again_and_again_is_closed(server: LiveServer, member: MemberClient) -> None:
    with server.connect(ticket_of(member)) as socket:
        with suppress(ConnectionClosed):
            for _ in range(100):
                socket.send('{"resume": 5}')
        assert close_code(socket) == 1008


def suspend(practice: Practice, member: MemberClient) -> None:
    membership = Membership.objects.get(user=member.user)
    membership.status = Membership.Status.SUSPENDED
    membership.save()


def revoke(practice: Practice, member: MemberClient) -> None:
    member.login_session.revoked_at = timezone.now()
    member.login_session.save()


def deactivate(practice: Practice, member: MemberClient) -> None:
    member.user.is_active = False
    member.user.save()


def log_out(practice: Practice, member: MemberClient) -> None:
    log_out_everywhere(by=member.user)


@pytest.mark.parametrize("end_access", [suspend, revoke, deactivate, log_out])
def test_connection_ends_with_access(
    server: LiveServer, practice: Practice, member: MemberClient, end_access: Callable[[Practice, MemberClient], None]
) -> None:
    with (
        server.listening(ticket_of(member), resume=0) as listening,
        server.listening(ticket_of(client_for("owner", practice)), resume=0) as other,
    ):
        log_events(practice, 1)
        assert listening.seqs(1) == other.seqs(1) == [1]
        with practice_scope(practice, actor=BY):
            end_access(practice, member)
        started = time.monotonic()
        assert listening.close_code(timeout=5) == 4401
        assert time.monotonic() - started < 5
        log_events(practice, 1)
        assert other.seqs(1) == [2]


def test_role_taken_away_takes_effect_while_listening(server: LiveServer, practice: Practice) -> None:
    member = client_for("admin", practice)
    with server.listening(ticket_of(member), resume=0) as listening:
        add_patient(practice, restricted=True)
        assert listening.seqs(1) == [1]
        with practice_scope(practice, actor=BY):
            Membership.objects.filter(user=member.user).update(roles=["front_desk"])
        time.sleep(settings.EVENTS_POLL_SECONDS + 0.5)
        add_patient(practice, restricted=True)
        add_patient(practice)
        assert listening.seqs(1) == [3]


def test_nothing_is_lost_or_doubled_when_the_server_is_killed(practice: Practice, member: MemberClient) -> None:
    """Writers go on while the server dies and comes back; the client goes on from the last event it saw."""
    total, seen = 200, list[int]()
    server = LiveServer(QUICK)
    server.start()

    def write() -> None:
        for _ in range(total):
            log_events(practice, 1)
            time.sleep(0.01)
        connection.close()

    writer = threading.Thread(target=write)
    try:
        for until in (50, 100, total):
            with server.listening(ticket_of(member), resume=seen[-1] if seen else 0) as listening:
                if not writer.ident:
                    writer.start()
                while len(seen) < until:
                    seen.append(listening.event()["seq"])
                if until == total:
                    break
                server.kill()
                with pytest.raises(ConnectionClosed):
                    while True:  # what was on its way still counts as seen
                        seen.append(listening.event()["seq"])
            server.start()
    finally:
        writer.join()
        server.stop()
    assert seen == list(range(1, total + 1))


def test_events_arrive_without_redis(practice: Practice, member: MemberClient) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    with (
        LiveServer({**QUICK, "REDIS_URL": nowhere}) as server,
        server.listening(ticket_of(member), resume=0) as listening,
    ):
        log_events(practice, 3)
        assert listening.seqs(3) == [1, 2, 3]
        log_events(practice, 1)
        assert listening.event(timeout=settings.EVENTS_POLL_SECONDS + 1)["seq"] == 4


def test_clients_come_back_when_the_database_fails(
    server: LiveServer, practice: Practice, member: MemberClient
) -> None:
    with server.listening(ticket_of(member)) as listening:
        listening.message()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE accounts_refreshsession IN ACCESS EXCLUSIVE MODE")
            ended = 0
            while not ended:  # the server's next look waits for the lock
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                ended = cursor.rowcount
        assert listening.close_code() == TRY_AGAIN_LATER


def test_client_that_takes_nothing_is_closed(server: LiveServer, practice: Practice, member: MemberClient) -> None:
    """And costs the others nothing: they hear of everything meanwhile."""
    with server.connect_without_room(ticket_of(member)) as lazy:
        lazy.send(json.dumps({"resume": 0}))
        for _ in range(4):
            log_events(practice, 10_000)
        with server.listening(ticket_of(member), resume=39_990) as listening:
            assert listening.seqs(10) == list(range(39_991, 40_001))
        time.sleep(3)
        assert close_code(lazy, timeout=30) == 4408


def test_client_that_vanishes_leaves_the_others_alone(
    server: LiveServer, practice: Practice, member: MemberClient
) -> None:
    with server.listening(ticket_of(member), resume=0) as listening:
        for _ in range(5):
            gone = server.connect(ticket_of(member))
            gone.socket.close()  # no closing handshake
        log_events(practice, 3)
        assert listening.seqs(3) == [1, 2, 3]


def test_server_that_stops_says_so_and_has_logged_no_ticket(
    practice: Practice, member: MemberClient, tmp_path: Path
) -> None:
    ticket, output = ticket_of(member), tmp_path / "server.log"
    with (
        LiveServer({**QUICK, "LOG_LEVEL": "INFO"}, output=output) as server,
        server.listening(ticket) as listening,
    ):
        listening.message()
        server.stop()
        assert listening.close_code() == 1012
    logged = output.read_text()
    assert "/ws/v1/events" in logged
    assert ticket not in logged
