"""The requests that are measured: for each endpoint many different ones, spread over all practices."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson

from tests.benchmarks.place import Place

PASSWORD = "Practice-demo-1!"
LOGIN = "frontdesk"
NIGHT_SLOTS = 16
"""Of 20 minutes from midnight UTC on: night, or late evening, in every zone that the data set has."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str = ""
    body: str = ""

    @property
    def line(self) -> str:
        """As the Lua scripts read it."""
        return "\t".join((self.method, self.path, self.token, self.body))


@dataclass(frozen=True)
class Practice:
    """What the requests of one practice are made of."""

    id: UUID
    slug: str
    token: str
    patients: Sequence[UUID]
    words: Sequence[str]
    names: Sequence[str]
    providers: Sequence[UUID]
    locations: Sequence[UUID]
    types: Sequence[UUID]


class Traffic:
    """Sessions and ids out of the data set. Needs Django (`place.enter_django`)."""

    def __init__(self, place: Place, *, seed: str = "traffic", practices: int | None = None) -> None:
        self.random = Random(seed)  # noqa: S311  # the same requests every time, no secrets
        with place.connect() as connection:
            slugs = connection.execute("SELECT id, slug FROM practices_practice ORDER BY slug LIMIT %s", [practices])
            self.practices = [_practice(connection, row[0], row[1]) for row in slugs.fetchall()]
        self._slots = {practice.id: _free_slots() for practice in self.practices}

    def requests(self, endpoint: str, count: int = 400) -> list[Request]:
        make = getattr(self, f"_{endpoint}")
        turns = itertools.islice(itertools.cycle(self.practices), count)
        return [make(practice) for practice in turns]

    def _list(self, practice: Practice) -> Request:
        return Request("GET", "/api/v1/patients", practice.token)

    def _detail(self, practice: Practice) -> Request:
        return Request("GET", f"/api/v1/patients/{self.random.choice(practice.patients)}", practice.token)

    def _search(self, practice: Practice) -> Request:
        """The first three letters of somebody's name, as a receptionist types them."""
        word = self.random.choice(practice.words)[:3]
        return Request("GET", f"/api/v1/patients?{urlencode({'search': word})}", practice.token)

    def _person(self, practice: Practice) -> Request:
        """Somebody's whole name: one or two patients answer to it, however many there are."""
        name = self.random.choice(practice.names)
        return Request("GET", f"/api/v1/patients?{urlencode({'search': name})}", practice.token)

    def _provider_day(self, practice: Practice) -> Request:
        return self._day(practice, provider=self.random.choice(practice.providers))

    def _location_day(self, practice: Practice) -> Request:
        return self._day(practice, location=practice.locations[0])

    def _day(self, practice: Practice, **where: UUID) -> Request:
        day = midnight() + timedelta(days=self.random.randrange(-14, 7))
        window = {"start__gte": _instant(day), "start__lt": _instant(day + timedelta(days=1))}
        return Request("GET", f"/api/v1/appointments?{urlencode({**where, **window})}", practice.token)

    def _free_times(self, practice: Practice) -> Request:
        day = midnight() + timedelta(days=1)
        asked = {"appointment_type": self.random.choice(practice.types), "provider": practice.providers[0]}
        window = {"from": _instant(day), "to": _instant(day + timedelta(days=7))}
        return Request("GET", f"/api/v1/free-times?{urlencode({**asked, **window})}", practice.token)

    def _booking(self, practice: Practice) -> Request:
        """At night, when nobody of the data set has a visit; every request at another time or with another provider."""
        provider, start = next(self._slots[practice.id])
        wish = {
            "patient": str(self.random.choice(practice.patients)),
            "appointment_type": str(practice.types[0]),
            "provider": str(practice.providers[provider % len(practice.providers)]),
            "location": str(practice.locations[0]),
            "start": _instant(start),
        }
        return Request("POST", "/api/v1/appointments", practice.token, orjson.dumps(wish).decode())

    def _login(self, practice: Practice) -> Request:
        asked = {"grant_type": "password", "username": f"{LOGIN}@{practice.slug}.test", "password": PASSWORD}
        return Request("POST", "/api/v1/auth/token", body=orjson.dumps(asked).decode())

    def _refresh(self, practice: Practice) -> Request:
        """With a session of its own; the Lua script goes on with what each answer brings."""
        _, refresh = start_session(practice.id, practice.slug)
        asked = {"grant_type": "refresh_token", "refresh_token": refresh}
        return Request("POST", "/api/v1/auth/token", body=orjson.dumps(asked).decode())


def _free_slots() -> Iterator[tuple[int, datetime]]:
    """Number of a provider and start, of one practice and each once."""
    first = midnight() + timedelta(days=2)
    for day, slot, provider in itertools.product(range(300), range(NIGHT_SLOTS), range(3)):
        yield provider, first + timedelta(days=day, minutes=20 * slot)


def lines(requests: Iterable[Request]) -> str:
    return "".join(f"{request.line}\n" for request in requests)


def midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _instant(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def start_session(practice_id: UUID, slug: str) -> tuple[str, str]:
    """Access and refresh token of the practice's front desk, without the second that a password takes."""
    from accounts import sessions, tokens
    from accounts.models import Membership
    from practices.tenancy import Actor, practice_scope

    with practice_scope(practice_id, actor=Actor.system("bench")):
        members = Membership.objects.select_related("user", "practice")
        membership = members.get(user__email=f"{LOGIN}@{slug}.test")
    login = sessions.start_session(membership=membership, by=membership.user, origin=sessions.Origin())
    return tokens.access_token(login.session), tokens.refresh_token(login.session)


def _practice(connection: Any, practice_id: UUID, slug: str) -> Practice:
    def ids(query: str) -> list[Any]:
        return [row[0] for row in connection.execute(query.encode(), [practice_id]).fetchall()]

    return Practice(
        id=practice_id,
        slug=slug,
        token=start_session(practice_id, slug)[0],
        patients=ids("SELECT id FROM patients_patient WHERE practice_id = %s ORDER BY mrn LIMIT 200"),
        words=ids("SELECT DISTINCT word FROM patients_patientname WHERE practice_id = %s ORDER BY word LIMIT 300"),
        names=ids(
            "SELECT concat_ws(' ', given_name, family_name) FROM patients_patient"
            " WHERE practice_id = %s ORDER BY mrn LIMIT 200"
        ),
        providers=ids(
            "SELECT provider_id FROM practices_resource WHERE practice_id = %s AND kind = 'provider' ORDER BY name"
        ),
        locations=ids("SELECT id FROM practices_location WHERE practice_id = %s ORDER BY name"),
        types=ids("SELECT id FROM appointments_appointmenttype WHERE practice_id = %s ORDER BY duration, name"),
    )
