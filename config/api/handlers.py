"""Django's error handlers, for what fails outside a REST framework view: problems under /api, plain pages elsewhere."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults
from django.views.csrf import csrf_failure as default_csrf_failure

from config.api.problem import (
    Forbidden,
    InternalError,
    MalformedRequest,
    NotFound,
    ProblemResponse,
    Unavailable,
    current_exception,
    is_api_path,
    problem_for,
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api_path(request):
        return ProblemResponse(problem_for(exception) or MalformedRequest(), request)
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api_path(request):
        return ProblemResponse(Forbidden(), request)
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api_path(request):
        return ProblemResponse(NotFound(), request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Says 503 instead of 500 when the database is what failed, so that clients know to try again."""
    if not is_api_path(request):
        return defaults.server_error(request)
    problem = problem_for(current_exception() or Exception())
    return ProblemResponse(problem if isinstance(problem, Unavailable) else InternalError(), request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if is_api_path(request):
        return ProblemResponse(Forbidden("The CSRF check failed.", code="csrf_failed"), request)
    return default_csrf_failure(request, reason)
