"""Tokens that somebody made up, bent or took for another kind: refused alike, wherever they are shown."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import jwt
import pytest
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts.tokens import access_token, refresh_token
from config.api.signing import key_id
from practices.models import Practice
from tests.clients import client_for

ME = "/api/v1/auth/me"
TOKEN = "/api/v1/auth/token"
OURS = "development-only-jwt-signing-key-never-in-production"
OTHER = "somebody-else's-key-of-a-length-that-is-good-enough-for-it"

pytestmark = pytest.mark.django_db


def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return decoded


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(
    token: str, *, key: str = OURS, alg: str = "HS256", head: Mapping[str, Any] = {}, **change: Any
) -> str:  # read only
    """The token with other claims (None leaves one out) and header, signed all the same."""
    body = {name: value for name, value in {**claims(token), **change}.items() if value is not None}
    given = jwt.get_unverified_header(token)
    headers = {name: value for name, value in {**given, **(head or {})}.items() if value is not None}
    headers.pop("alg")
    return jwt.encode(body, "" if alg == "none" else key, algorithm=alg, headers=headers)


def head(token: str, **change: Any) -> str:
    """Another header over the old signature."""
    _, body, signature = token.split(".")
    return f"{part({**jwt.get_unverified_header(token), **change})}.{body}.{signature}"


def body(token: str, value: object) -> str:
    """Another body over the old signature."""
    first, _, signature = token.split(".")
    return f"{first}.{part(value)}.{signature}"


def raw(token: str, payload: bytes) -> str:
    """A body of ours that is no JSON object, signed with our key."""
    return jwt.api_jws.encode(payload, OURS, algorithm="HS256", headers=_headers(token))


def _headers(token: str) -> dict[str, Any]:
    return {name: value for name, value in jwt.get_unverified_header(token).items() if name != "alg"}


HOUR = 3600
FORGED: dict[str, Callable[[str], str]] = {
    "empty": lambda t: "",
    "one part": lambda t: "abc",
    "two parts": lambda t: t.rpartition(".")[0],
    "four parts": lambda t: f"{t}.x",
    "dots": lambda t: "...",
    "not ascii": lambda t: "ÿ.y.z",
    "null byte": lambda t: "\0.\0.\0",
    "no base64": lambda t: "%%%.%%%.%%%",
    "very long": lambda t: t + "x" * 8000,
    "line break": lambda t: f"\n{t}",
    "nested deeply": lambda t: f"{part(b'[' * 2500)}.x.y",
    "header is a list": lambda t: f"{part([1])}.{t.split('.')[1]}.x",
    "header is no JSON": lambda t: f"{part(b'{')}.{t.split('.')[1]}.x",
    "header without alg": lambda t: f"{part({'typ': 'at+jwt'})}.{t.split('.')[1]}.x",
    "no signature": lambda t: t.rpartition(".")[0] + ".",
    "cut signature": lambda t: t[:-4],
    "bent signature": lambda t: t[:-3] + ("AAA" if not t.endswith("AAA") else "BBB"),
    "bent body": lambda t: body(t, {**claims(t), "sub": str(uuid4())}),
    "algorithm none": lambda t: signed(t, alg="none"),
    "algorithm none, signature kept": lambda t: head(t, alg="none"),
    "algorithm nOnE": lambda t: head(t, alg="nOnE"),
    "algorithm HS512": lambda t: signed(t, key=OURS * 2, alg="HS512"),
    "algorithm RS256 named": lambda t: head(t, alg="RS256"),
    "algorithm is a list": lambda t: head(t, alg=["HS256"]),
    "another's key": lambda t: signed(t, key=OTHER),
    "another's key by its own name": lambda t: signed(t, key=OTHER, head={"kid": key_id(OTHER)}),
    "no kid": lambda t: signed(t, head={"kid": None}),
    "kid is a path": lambda t: signed(t, head={"kid": "../../dev/null"}),
    "kid is a number": lambda t: head(t, kid=1),
    "kid is an object": lambda t: head(t, kid={"a": 1}),
    "key in the header": lambda t: signed(t, key=OTHER, head={"jwk": {"kty": "oct", "k": part(OTHER.encode())}}),
    "key behind a link": lambda t: signed(t, key=OTHER, head={"jku": "https://example.test/keys"}),
    "typ JWT": lambda t: signed(t, head={"typ": "JWT"}),
    "typ is a list": lambda t: head(t, typ=["at+jwt"]),
    "body is a list": lambda t: raw(t, b"[]"),
    "body is no JSON": lambda t: raw(t, b"{"),
    "body is not UTF-8": lambda t: raw(t, b"\xff\xfe"),
    "body nested deeply": lambda t: raw(t, b'{"a":' + b"[" * 2500),
    "no aud": lambda t: signed(t, aud=None),
    "another aud": lambda t: signed(t, aud="practice-admin"),
    "aud is a number": lambda t: signed(t, aud=5),
    "no iss": lambda t: signed(t, iss=None),
    "another iss": lambda t: signed(t, iss="somebody"),
    "no exp": lambda t: signed(t, exp=None),
    "exp is text": lambda t: signed(t, exp="tomorrow"),
    "exp is endless": lambda t: signed(t, exp=10**400),
    "exp is infinite": lambda t: raw(t, json.dumps({**claims(t), "exp": float("inf")}).encode()),
    "no iat": lambda t: signed(t, iat=None),
    "iat to come": lambda t: signed(t, iat=int(time.time()) + HOUR),
    "no nbf": lambda t: signed(t, nbf=None),
    "nbf to come": lambda t: signed(t, nbf=int(time.time()) + HOUR),
    "no jti": lambda t: signed(t, jti=None),
    "no token type": lambda t: signed(t, token_type=None),
    "another token type": lambda t: signed(t, token_type="sliding"),
    "no sub": lambda t: signed(t, sub=None),
    "sub is nobody": lambda t: signed(t, sub=str(uuid4())),
    "sub is no id": lambda t: signed(t, sub="owner"),
    "sub is a number": lambda t: signed(t, sub=7),
    "sub with a null byte": lambda t: signed(t, sub="a\0b"),
    "no practice": lambda t: signed(t, practice=None),
    "practice is an object": lambda t: signed(t, practice={"id": 1}),
    "no session": lambda t: signed(t, session=None),
    "session is nobody's": lambda t: signed(t, session=str(uuid4())),
    "session is a list": lambda t: signed(t, session=[1]),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_forged_token_is_refused_wherever_it_is_shown(practice: Practice, settings: Settings, forge: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    client = client_for("owner", practice)
    access = forge(access_token(client.login_session))
    refresh = forge(refresh_token(client.login_session))
    for path in (ME, "/api/v1/patients"):
        answer = APIClient().get(path, headers={"Authorization": f"Bearer {access}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    answer = renew(refresh)
    assert answer.status_code == (400 if "\0" in refresh else 401)  # no body may hold that character
    assert answer["Content-Type"] == "application/problem+json"
    assert APIClient().post("/api/v1/auth/logout", {"refresh_token": refresh or "x"}).status_code in {204, 400}
    assert client.get(ME).status_code == 200


def renew(token: str) -> Any:
    return APIClient().post(TOKEN, {"grant_type": "refresh_token", "refresh_token": token}, format="json")


def test_kinds_are_not_taken_for_each_other(practice: Practice) -> None:
    session = client_for("owner", practice).login_session
    access, refresh = access_token(session), refresh_token(session)
    as_access = [
        refresh,
        signed(refresh, token_type="access"),
        signed(refresh, head={"typ": "at+jwt"}),
        signed(refresh, head={"typ": "at+jwt"}, token_type="access"),
    ]
    assert {me(token).status_code for token in as_access} == {401}
    as_refresh = [access, signed(access, head={"typ": "rt+jwt"}), signed(access, token_type="refresh")]
    assert {renew(token).status_code for token in as_refresh} == {401}


def me(token: str) -> Any:
    return APIClient().get(ME, headers={"Authorization": f"Bearer {token}"})


def test_expired_token_of_ours_says_so_and_a_forged_one_does_not(practice: Practice) -> None:
    token = access_token(client_for("owner", practice).login_session)
    past = int(time.time()) - HOUR
    assert me(signed(token, exp=past)).json()["code"] == "token_expired"
    assert me(signed(token, exp=past, key=OTHER)).json()["code"] == "not_authenticated"


def test_signing_keys_are_replaced_with_an_overlap(practice: Practice, settings: Settings) -> None:
    session = client_for("owner", practice).login_session
    new = "another-key-that-is-as-long-as-it-should-be-for-signing"

    def tokens() -> tuple[str, str]:
        return access_token(session), refresh_token(session)

    def answers(pair: tuple[str, str]) -> set[int]:
        return {me(pair[0]).status_code, renew(pair[1]).status_code}

    before = tokens()
    settings.JWT_SIGNING_KEYS = [OURS, new]  # every process learns the new key before any signs with it
    assert {jwt.get_unverified_header(token)["kid"] for token in tokens()} == {key_id(OURS)}
    settings.JWT_SIGNING_KEYS = [new, OURS]
    after = tokens()
    assert {jwt.get_unverified_header(token)["kid"] for token in after} == {key_id(new)}
    assert answers(before) == answers(after) == {200}
    settings.JWT_SIGNING_KEYS = [new]
    assert answers(before) == {401}
    assert me(after[0]).status_code == 200


def test_key_is_named_and_not_told(practice: Practice) -> None:
    header = jwt.get_unverified_header(access_token(client_for("owner", practice).login_session))
    assert header == {"alg": "HS256", "typ": "at+jwt", "kid": key_id(OURS)}
    assert (len(header["kid"]), OURS[:4] in header["kid"]) == (16, False)
