"""Which pages may act with a cookie of ours."""

from django.conf import settings
from django.http import HttpRequest

from config.api.problem import Forbidden


def refuse_foreign_origin(request: HttpRequest) -> None:
    """Raises Forbidden unless the page is of our own origin or of CORS_ALLOWED_ORIGINS.

    Browsers send Origin with every POST, so a request without it is refused as well.
    """
    own = f"{request.scheme}://{request.get_host()}"
    if request.headers.get("Origin") not in {own, *settings.CORS_ALLOWED_ORIGINS}:
        raise Forbidden("A cookie is taken only from our own pages, named by the Origin header.")
