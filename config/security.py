"""What browsers may do with our pages, and other pages with us."""

from functools import cache

from corsheaders.middleware import ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CorsMiddleware
from csp.constants import HEADER
from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],  # the admin sets widths in style attributes
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """django-csp's header; the admin alone may evaluate scripts, because its Alpine.js does."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """JSON always gets the same one, which need not be put together each time."""
        if response.get("Content-Type") != "application/json":
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, _policy_of_data())
        return response

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(settings.ADMIN_PATH):
            parts.update = {**(parts.update or {}), "script-src": ["'unsafe-eval'"]}
        return parts


@cache
def _policy_of_data() -> str:
    return str(build_policy())


class CredentialedCorsMiddleware(CorsMiddleware):
    """Lets allowed origins send the cookie with the refresh token, on the paths that get it and on no other."""

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = super().add_response_headers(request, response)
        if request.path_info.startswith(f"{settings.REFRESH_COOKIE_PATH}/") and ACCESS_CONTROL_ALLOW_ORIGIN in response:
            response[ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
        return response
