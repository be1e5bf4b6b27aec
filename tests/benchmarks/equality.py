"""Before anything is measured: all servers answer the same question with the same JSON, or there is nothing to compare.

Let differ: the text of cursors, the port in a page's address, and of two bookings what must differ.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.benchmarks.servers import Server
from tests.benchmarks.traffic import Request, Traffic

SAMPLES = 8
OF_A_BOOKING = ("id", "start", "end", "created_at", "updated_at")
OF_A_LOGIN = ("access_token", "refresh_token")


class Different(SystemExit):
    """Two servers disagree: what is measured would not be the same work."""

    def __init__(self, what: str, ours: Any, theirs: Any) -> None:
        super().__init__(f"bench: {what} differs, so nothing is measured:\n  ours   {ours}\n  theirs {theirs}")


def require_equal(servers: Mapping[str, Server], traffic: Traffic, endpoints: Mapping[str, Sequence[str]]) -> int:
    """Compares every endpoint between the servers that have it; returns how many answers were compared."""
    compared = 0
    for endpoint, names in endpoints.items():
        others = [servers[name] for name in names if name != "ours" and name in servers]
        if others and "ours" in names:
            for request in traffic.requests(endpoint, SAMPLES):
                compared += _compare(endpoint, request, servers["ours"], others, traffic)
    return compared


def _compare(endpoint: str, request: Request, ours: Server, others: Sequence[Server], traffic: Traffic) -> int:
    expected = send(ours, request)
    for server in others:
        if endpoint == "booking":
            request = _at_another_time(request, traffic)
        answer = send(server, request)
        _require(f"{endpoint} of {server.name}", _shown(endpoint, expected), _shown(endpoint, answer))
        _require_next_page(endpoint, expected, answer, request, ours, server)
    return len(others)


def _require_next_page(
    endpoint: str, expected: Any, answer: Any, request: Request, ours: Server, server: Server
) -> None:
    """Whoever follows `next` arrives at the same rows, too."""
    if expected.get("next"):
        mine, theirs = (send(at, _follow(page["next"], request)) for at, page in ((ours, expected), (server, answer)))
        _require(f"the second page of {endpoint} of {server.name}", mine["results"], theirs["results"])


def _follow(url: str, request: Request) -> Request:
    address = urlsplit(url)
    return Request("GET", f"{address.path}?{address.query}", request.token)


def _at_another_time(booking: Request, traffic: Traffic) -> Request:
    """The same wish, when it is still to be had."""
    wish = json.loads(booking.body)
    for other in traffic.requests("booking", 4 * len(traffic.practices)):
        offered = json.loads(other.body)
        if other.token == booking.token and offered["provider"] == wish["provider"]:
            return Request(other.method, other.path, other.token, json.dumps({**wish, "start": offered["start"]}))
    raise SystemExit("bench: no other time was found for a booking.")


def _require(what: str, ours: Any, theirs: Any) -> None:
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        for key in ours:
            _require(f"{what}, {key}", ours[key], theirs[key])
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for mine, other in zip(ours, theirs, strict=True):
            _require(what, mine, other)
    elif ours != theirs and not _same_instant(ours, theirs):
        raise Different(what, ours, theirs)


def _same_instant(ours: Any, theirs: Any) -> bool:
    """Written with more or fewer digits of a second."""
    try:
        return datetime.fromisoformat(ours) == datetime.fromisoformat(theirs)
    except (TypeError, ValueError):
        return False


def _shown(endpoint: str, answer: Any) -> Any:
    answer = dict(answer)
    answer.pop("device_token", None)  # the others know no devices
    for name in {"booking": OF_A_BOOKING, "login": OF_A_LOGIN}.get(endpoint, ()):
        answer[name] = "present" if answer.get(name) else "missing"
    for name in ("next", "previous"):
        if answer.get(name):
            address = urlsplit(answer[name])
            answer[name] = [
                address.path,
                sorted((key, value) for key, value in parse_qsl(address.query) if key != "cursor"),
            ]
    return answer


def send(server: Server, request: Request) -> Any:
    """The body of a 2xx answer; anything else ends the benchmark, with what the server said."""
    headers = {"Accept": "application/json"}
    if request.token:
        headers["Authorization"] = f"Bearer {request.token}"
    if request.body:
        headers["Content-Type"] = "application/json"
    asked = urllib.request.Request(  # noqa: S310  # our own http address
        f"{server.url}{request.path}", request.body.encode() or None, headers, method=request.method
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as response:  # noqa: S310  # as above
            return json.load(response)
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:500]
        raise SystemExit(
            f"bench: {server.name} answers {error.code} to {request.method} {request.path}: {said}"
        ) from error
