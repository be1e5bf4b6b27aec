"""What is compared with what, and which ratios are wanted."""

from dataclasses import dataclass

EVERYBODY = ("ours", "peer", "drf", "pgbench")


@dataclass(frozen=True)
class Endpoint:
    """`target` is the wanted ratio of requests per second to the peer's; 0 where nothing is promised."""

    name: str
    title: str
    systems: tuple[str, ...] = EVERYBODY
    target: float = 0.0
    of_pgbench: float = 0.0
    script: str = "requests"


ENDPOINTS = (
    Endpoint("list", "list of 50 patients", target=2.0, of_pgbench=0.35),
    Endpoint("detail", "one patient", target=1.3),
    Endpoint("search", "name search", target=2.0),
    Endpoint("provider_day", "a provider's day", target=2.0),
    Endpoint("location_day", "a location's day", target=2.0),
    Endpoint("free_times", "free times of a week", ("ours", "pgbench")),
    Endpoint("booking", "booking", ("ours", "peer", "pgbench"), target=1.2),
    Endpoint("login", "login", ("ours", "peer")),
    Endpoint("refresh", "refresh", ("ours", "pgbench"), script="refresh"),
)
BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
COMPARED = {endpoint.name: endpoint.systems for endpoint in ENDPOINTS}
