"""URLs of viewsets: no trailing slash, and ids that are UUIDs or no route at all."""

from typing import Any

from rest_framework.routers import SimpleRouter

UUID_PATTERN = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


def under(prefix: str, parameter: str, collection: str) -> str:
    """A router prefix below another object: `under("patients", "patient_id", "contacts")`."""
    return f"{prefix}/(?P<{parameter}>{UUID_PATTERN})/{collection}"


class Router(SimpleRouter):
    def __init__(self) -> None:
        super().__init__(trailing_slash=False)

    def get_lookup_regex(self, viewset: Any, lookup_prefix: str = "") -> str:
        if not hasattr(viewset, "lookup_value_regex"):
            name = viewset.lookup_url_kwarg or viewset.lookup_field
            return f"(?P<{lookup_prefix}{name}>{UUID_PATTERN})"
        return super().get_lookup_regex(viewset, lookup_prefix)
