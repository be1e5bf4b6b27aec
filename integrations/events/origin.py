"""Which pages may open a WebSocket."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def origin_allowed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Pages of this host and of CORS_ALLOWED_ORIGINS. What sends no Origin is no browser."""
    pairs = [(name.lower(), value.decode("latin-1")) for name, value in headers]
    origins = [value for name, value in pairs if name == b"origin"]
    if not origins:
        return True
    if len(origins) > 1:
        return False
    if origins[0] in settings.CORS_ALLOWED_ORIGINS:
        return True
    host = next((value for name, value in pairs if name == b"host"), "")
    return _is_ours(host) and _netloc(origins[0]) == host.lower()


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_ours(host: str) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
