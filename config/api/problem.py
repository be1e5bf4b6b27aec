"""Errors as RFC 9457 problem details: one shape for our own refusals, the framework's and the database's.

Nothing from an exception the code didn't write for a caller reaches the response: no table, constraint or file name.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Literal

import structlog
from django.apps import apps
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import DatabaseError, DataError, IntegrityError, OperationalError, models
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.settings import api_settings

from config.api.rendering import dumps

logger = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
CHALLENGE = 'Bearer realm="api"'
MAX_POINTER_LENGTH = 200
CONFLICTING_VALUES = "Another object already uses this value."
BROKEN_RULE = "The values contradict each other or another object."

Place = Literal["body", "query", "header", "path"]


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one value; `pointer` is a JSON pointer into the body, or `/name` of a parameter or header."""

    pointer: str
    code: str
    detail: str
    place: Place = "body"

    def as_json(self) -> dict[str, str]:
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail, "in": self.place}


class Problem(exceptions.APIException):
    """Raise one to refuse a request. Keyword arguments beyond the named ones become members of the response."""

    status_code = int(HTTPStatus.BAD_REQUEST)
    code: str = "bad_request"
    default_detail = "The request can't be processed."

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail or self.default_detail)
        self.code = code or self.code
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.members = members

    def as_json(self, request: HttpRequest | Request | None) -> dict[str, Any]:
        return {
            "type": f"urn:problem-type:{self.code}",
            "title": HTTPStatus(self.status_code).phrase,
            "status": int(self.status_code),
            "detail": str(self.detail),
            "instance": request.path if request is not None else "",
            "code": self.code,
            "request_id": str(getattr(request, "request_id", None) or ""),
            "errors": [error.as_json() for error in self.errors],
            **self.members,
        }


class ValidationProblem(Problem):
    code = "validation_error"
    default_detail = "Some values are missing or not valid."

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "ValidationProblem":
        """A problem named `unknown_field` when that is all that is wrong, else `validation_error`."""
        only_unknown = bool(errors) and all(error.code == "unknown_field" for error in errors)
        return cls(errors=errors, code="unknown_field" if only_unknown else None)


class ParameterProblem(Problem):
    """A query parameter or header that is unknown or not valid."""

    code = "validation_error"
    default_detail = "A parameter is not valid."

    @classmethod
    def of(cls, name: str, code: str, detail: str, place: Place = "query") -> "ParameterProblem":
        problem = cls(detail, errors=[FieldError(_pointer("", name), code, detail, place)])
        problem.code = code if code in {"unknown_parameter", "invalid_cursor"} else cls.code
        return problem


class MalformedRequest(Problem):
    code = "malformed_request"
    default_detail = "The request could not be read."


class NotAuthenticated(Problem):
    status_code = int(HTTPStatus.UNAUTHORIZED)
    code = "not_authenticated"
    default_detail = "Log in and send the access token as a Bearer token."

    def __init__(self, detail: str | None = None, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.headers.setdefault("WWW-Authenticate", CHALLENGE)


class Forbidden(Problem):
    status_code = int(HTTPStatus.FORBIDDEN)
    code = "permission_denied"
    default_detail = "Your role does not allow this."


class NotFound(Problem):
    status_code = int(HTTPStatus.NOT_FOUND)
    code = "not_found"
    default_detail = "There is nothing here."


class MethodNotAllowed(Problem):
    status_code = int(HTTPStatus.METHOD_NOT_ALLOWED)
    code = "method_not_allowed"
    default_detail = "This method is not offered here."


class NotAcceptable(Problem):
    status_code = int(HTTPStatus.NOT_ACCEPTABLE)
    code = "not_acceptable"
    default_detail = "None of the accepted media types is offered here."


class Conflict(Problem):
    """The request is well-formed, and the present state of the data refuses it."""

    status_code = int(HTTPStatus.CONFLICT)
    code = "conflict"
    default_detail = "The request conflicts with other data."


class LengthRequired(Problem):
    status_code = int(HTTPStatus.LENGTH_REQUIRED)
    code = "length_required"
    default_detail = "Send a Content-Length with the body."


class PreconditionFailed(Problem):
    status_code = int(HTTPStatus.PRECONDITION_FAILED)
    code = "precondition_failed"
    default_detail = "The object has changed since you read it; read it again."


class PayloadTooLarge(Problem):
    status_code = int(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    code = "payload_too_large"
    default_detail = "The body is too large."


class UnsupportedMediaType(Problem):
    status_code = int(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    code = "unsupported_media_type"
    default_detail = "Send the body as application/json."


class Unprocessable(Problem):
    status_code = int(HTTPStatus.UNPROCESSABLE_ENTITY)
    code = "unprocessable"
    default_detail = "The request can't be carried out."


class RateLimited(Problem):
    status_code = int(HTTPStatus.TOO_MANY_REQUESTS)
    code = "rate_limited"
    default_detail = "Too many requests; wait before the next one."

    def __init__(self, retry_after: int, detail: str | None = None, *, again: bool = False, **kwargs: Any) -> None:
        """`again`: the caller has been refused for the same reason in this window before."""
        super().__init__(detail, **kwargs)
        self.again = again
        self.headers["Retry-After"] = str(max(1, retry_after))


class InternalError(Problem):
    status_code = int(HTTPStatus.INTERNAL_SERVER_ERROR)
    code = "internal_error"
    default_detail = "Something went wrong on our side. Name the request_id when you report it."


class Unavailable(Problem):
    status_code = int(HTTPStatus.SERVICE_UNAVAILABLE)
    code = "unavailable"
    default_detail = "The service can't answer right now; try again shortly."

    def __init__(self, detail: str | None = None, *, retry_after: int = 5, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.headers["Retry-After"] = str(retry_after)


class ProblemResponse(HttpResponse):
    """A rendered problem; built by hand because an error must not depend on the renderer that was negotiated."""

    def __init__(self, problem: Problem, request: HttpRequest | Request | None) -> None:
        self.data = problem.as_json(request)
        self.refused_again = getattr(problem, "again", False)
        body = b"" if request is not None and request.method == "HEAD" else dumps(self.data)
        super().__init__(body, status=problem.status_code, content_type=MEDIA_TYPE, headers=problem.headers)
        self["Cache-Control"] = "no-store"


def exception_handler(exc: Exception, context: dict[str, Any]) -> ProblemResponse | None:
    """REST framework's hook: the problem an exception stands for, or None to let it become a 500."""
    problem = problem_for(exc)
    if isinstance(exc, DatabaseError):
        logger.warning("database_refused", exc_info=exc)  # the caller learns nothing of it, operators should
    return None if problem is None else ProblemResponse(problem, context.get("request"))


def problem_for(exc: BaseException) -> Problem | None:
    """The refusal an exception stands for; None when it is a defect of ours."""
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, exceptions.ValidationError):
        return ValidationProblem.of(list(_flatten(exc.detail)))
    if isinstance(exc, ModelValidationError):
        return ValidationProblem.of(list(_flatten(model_errors(exc))))
    if isinstance(exc, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        return _authentication_problem(exc)
    if isinstance(exc, exceptions.Throttled):
        return RateLimited(int(getattr(exc, "wait", None) or 1))
    if isinstance(exc, exceptions.APIException):
        return _framework_problem(exc)
    return _foreign_problem(exc)


_FRAMEWORK: dict[int, type[Problem]] = {
    400: MalformedRequest,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    415: UnsupportedMediaType,
}


def _framework_problem(exc: exceptions.APIException) -> Problem | None:
    kind = _FRAMEWORK.get(exc.status_code)
    if kind is None:
        return None
    return Forbidden(str(exc.detail)) if kind is Forbidden else kind()


def _authentication_problem(exc: exceptions.APIException) -> Problem:
    detail = exc.detail
    code = detail.get("code") if isinstance(detail, dict) else getattr(detail, "code", None)
    return NotAuthenticated(code="token_expired") if str(code) == "token_expired" else NotAuthenticated()


_registered: dict[type[BaseException], Problem] = {}


def register_refusal(exception: type[BaseException], problem: Problem) -> None:
    """Names the problem that an exception of an app stands for; apps call it when they are ready."""
    _registered[exception] = problem


_constraints: dict[str, Callable[[str], Problem]] = {}


def register_constraint(name: str, refusal: Callable[[str], Problem]) -> None:
    """Names the problem that breaking this constraint stands for, made of the detail that the database gives."""
    _constraints[name] = refusal


def _broken_constraint(exc: BaseException) -> Problem | None:
    told = getattr(exc.__cause__, "diag", None)
    refusal = _constraints.get(told.constraint_name) if told is not None and isinstance(exc, IntegrityError) else None
    return refusal(told.message_detail or "") if refusal is not None and told is not None else None


def _foreign_problem(exc: BaseException) -> Problem | None:
    """The apps' and Django's own exceptions, and what the database says; order matters, subclasses come first."""
    if (broken := _broken_constraint(exc)) is not None:
        return broken
    for exception, refusal in _registered.items():
        if isinstance(exc, exception):
            return refusal
    if isinstance(exc, IntegrityError) and (contradiction := _contradiction(exc)):
        return contradiction
    table: tuple[tuple[type[BaseException], type[Problem]], ...] = (
        (Http404, NotFound),
        (PermissionDenied, Forbidden),
        (RequestDataTooBig, PayloadTooLarge),
        (SuspiciousOperation, MalformedRequest),
        (UnreadablePostError, MalformedRequest),
        (IntegrityError, Conflict),
        (DataError, ValidationProblem),
        (OperationalError, Unavailable),
    )
    return next((problem() for exception, problem in table if isinstance(exc, exception)), None)


def _contradiction(exc: IntegrityError) -> Problem | None:
    """What a constraint with a message of its own says, when values reached it that nothing before had compared."""
    diagnosis = getattr(exc.__cause__, "diag", None)
    constraint = _told_constraints().get(getattr(diagnosis, "constraint_name", None))
    if constraint is None:
        return None
    message = str(constraint.violation_error_message)
    return ValidationProblem.of([FieldError("", constraint.violation_error_code or "invalid", message)])


@cache
def _told_constraints() -> dict[str | None, models.CheckConstraint]:
    constraints = (each for model in apps.get_models() for each in model._meta.constraints)
    return {
        each.name: each
        for each in constraints
        if isinstance(each, models.CheckConstraint)
        and each.violation_error_message != each.default_violation_error_message
    }


def model_errors(exc: ModelValidationError) -> dict[str, Any] | list[Any]:
    """A model's validation errors in REST framework's shape, without model or constraint names."""
    if not hasattr(exc, "error_dict"):
        return [_model_error(error) for error in exc.error_list]
    found: dict[str, list[exceptions.ErrorDetail]] = {}
    for name, errors in exc.error_dict.items():
        for error in errors:
            for field in _unique_fields(error) or [name]:
                found.setdefault(field, []).append(_model_error(error))
    key = api_settings.NON_FIELD_ERRORS_KEY
    return {key if name == NON_FIELD_ERRORS else name: errors for name, errors in found.items()}


def _unique_fields(error: ModelValidationError) -> list[str]:
    """The fields of a violated per-practice unique constraint, without the practice, which no caller names."""
    check = (error.params or {}).get("unique_check", ()) if error.code == "unique_together" else ()
    return [name for name in check if name != "practice"]


def _model_error(error: ModelValidationError) -> exceptions.ErrorDetail:
    if error.code in {"unique", "unique_together"}:
        return exceptions.ErrorDetail(CONFLICTING_VALUES, "unique")
    message = " ".join(error.messages)
    if re.search("Constraint “.*” is violated", message):
        return exceptions.ErrorDetail(BROKEN_RULE, "invalid")
    return exceptions.ErrorDetail(message, error.code or "invalid")


def _flatten(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """Nested error details as a flat list. Lists hold messages of one value, or nested details by index."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            yield from _flatten(value, pointer if key == api_settings.NON_FIELD_ERRORS_KEY else _pointer(pointer, key))
    elif isinstance(detail, list | tuple):
        for index, value in enumerate(detail):
            nested = isinstance(value, Mapping | list | tuple)
            yield from _flatten(value, _pointer(pointer, index) if nested else pointer)
    else:
        yield FieldError(pointer, getattr(detail, "code", None) or "invalid", str(detail))


def _pointer(parent: str, key: object) -> str:
    """RFC 6901; cut, because the key may be whatever the caller sent."""
    escaped = str(key).replace("~", "~0").replace("/", "~1")
    return f"{parent}/{escaped}"[:MAX_POINTER_LENGTH]


def is_api_path(request: HttpRequest) -> bool:
    return request.path == "/api" or request.path.startswith("/api/")


def problem_response(request: HttpRequest, exc: BaseException) -> ProblemResponse:
    """For middleware and error handlers: the response to an exception that never reached a view."""
    return ProblemResponse(problem_for(exc) or InternalError(), request)


def current_exception() -> BaseException | None:
    """The exception Django is handling while it calls a 500 handler."""
    return sys.exc_info()[1]
