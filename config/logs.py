"""One line per event: JSON in production, readable in development; with the request's id, practice and user.

What never gets in: query strings, bodies, headers, and in production the messages of exceptions, which quote values
(`Key (email)=(...) already exists`); an exception is logged as its class and where it was raised.
"""

import re
import sys
import time
import traceback
import uuid
from typing import Any

import orjson
import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_structlog.middlewares import RequestMiddleware
from structlog.typing import EventDict, Processor

SAFE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", re.ASCII)


class RequestLogMiddleware(RequestMiddleware):
    """Gives each request an id (`request.request_id`, X-Request-ID in and out) and logs how it ended."""

    def prepare(self, request: HttpRequest) -> None:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if SAFE_REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        request.request_id = request_id  # type: ignore[attr-defined]  # ours
        request.started_at = time.perf_counter()  # type: ignore[attr-defined]  # ours
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        """Called inside the tenancy middleware's scope; what is bound here is still bound when the request ends."""
        structlog.contextvars.bind_contextvars(**_scope_ids())

    def handle_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]  # set by prepare
        elapsed = time.perf_counter() - request.started_at  # type: ignore[attr-defined]  # set by prepare
        structlog.contextvars.bind_contextvars(duration_ms=round(elapsed * 1000, 1))
        super().handle_response(request, response)  # type: ignore[arg-type]  # a streaming one is handled too

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """The link to a local file ends in its permission."""
        path = "/files/..." if request.path.startswith("/files/") else request.path
        return f"{request.method} {path}"

    @staticmethod
    def bind_user_id(request: HttpRequest) -> None:
        """Nothing: reading `request.user` outside the scope would cost a query; `process_view` binds the user."""


def _scope_ids() -> dict[str, str]:
    from practices.tenancy import current_scope

    scope = current_scope()
    if scope is None:
        return {}
    ids = {"practice_id": scope.practice_id, "user_id": scope.actor.id}
    return {name: str(value) for name, value in ids.items() if value is not None}


def add_scope(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Practice, user and request of the active scope, for jobs, commands and consumers as well as requests."""
    for name, value in _scope_ids().items():
        event.setdefault(name, value)
    return event


def describe_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by class, SQLSTATE and frames: no message, no local values."""
    exc_info = event.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        chain = list(_causes(error))
        event["exception"] = [_class_name(each) for each in chain]
        event["traceback"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in _frames(chain[-1])]
        states = [state for each in chain if (state := getattr(each, "sqlstate", None))]
        if states:
            event["sqlstate"] = states[0]
    return event


def _causes(error: BaseException | None) -> Any:
    """The error and what led to it, the outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(error.__traceback__, limit=-20))


def _class_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _to_json(event: object, **_options: object) -> str:
    return orjson.dumps(event, default=str).decode()


def logging_configuration(*, as_json: bool, level: str) -> dict[str, Any]:
    """Django's LOGGING, and structlog set up to end in the same handler."""
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_scope,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    rendering: list[Processor] = [
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    ]
    if as_json:
        rendering = [
            describe_exception,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": before,
                "processors": [remove_meta, *rendering],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers would print everything twice; its request errors are in ours.
            "django": {"handlers": [], "level": level},
            "django.request": {"level": "CRITICAL"},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # A traceback each second while Redis is away; /readyz and our own warnings tell of it.
            "channels_redis.pubsub": {"level": "CRITICAL"},
            "procrastinate.blueprints": {"level": "WARNING"},
            "procrastinate.periodic": {"level": "WARNING"},
            "uvicorn": {"handlers": [], "level": level, "propagate": True},
            "uvicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
        },
    }
