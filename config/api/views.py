"""Base views. What the contract promises of every endpoint is done here, so that no endpoint can forget it."""

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import orjson
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import views, viewsets
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config.api import throttling
from config.api.concurrency import check_if_match, etag, if_match
from config.api.conditions import where
from config.api.filters import FilterBackend, OrderingBackend, check_query
from config.api.idempotency import Attempt, idempotency_key
from config.api.pagination import PARAMETERS as PAGINATION_PARAMETERS
from config.api.problem import LengthRequired, MethodNotAllowed, NotFound
from config.api.rows import fetch, renderable, value_at
from config.api.serializers import NoBody

M = TypeVar("M", bound=models.Model)

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class APIView(views.APIView):
    """Strict parameters and bodies, rate limits, Idempotency-Key, ETag and no-store for every view.

    `query_parameters` names the query parameters a view takes besides its filters, ordering and pages.
    `auth_limited` puts the tight limits of logging in on it; `idempotent = False` turns Idempotency-Key off.
    `delete_takes_body` lets DELETE have one, whose serializer its handler names.
    """

    http_method_names: Sequence[str] = ("get", "post", "patch", "delete", "head", "options")
    metadata_class = None
    query_parameters: Sequence[str] = ()
    auth_limited: bool = False
    idempotent: bool = True
    delete_takes_body: bool = False
    lists: bool | None = None  # True for an extra action that answers with a page of rows

    usages: list[throttling.Usage]
    attempt: Attempt | None

    # --- In -------------------------------------------------------------------------------------

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.usages, self.attempt = [], None
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.initial(self.request, *args, **kwargs)
            response = self.replay(self.request) or self.answer(self.request, *args, **kwargs)
        except Exception as exc:
            response = self.handle_exception(exc)
        return self.finalize_response(self.request, response, *args, **kwargs)  # type: ignore[no-any-return]

    def answer(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, (request.method or "").lower())(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """REST framework's checks in another order: who hammers with bad tokens is limited too."""
        self.format_kwarg = None
        renderer, media_type = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = renderer, media_type
        request.version, request.versioning_scheme = None, None
        if request.method == "OPTIONS":
            return
        _ = request._request.body  # kept by Django, so that it can be read again; 413 when it is too large
        try:
            self.perform_authentication(request)
        finally:
            self.check_throttles(request)
        self.check_method(request)
        self.check_permissions(request)
        self.check_request(request)

    def check_method(self, request: Request) -> None:
        """Before permissions, which could only say 403 of a method that isn't there."""
        if getattr(self, (request.method or "").lower(), None) is None:
            raise MethodNotAllowed()

    def check_request(self, request: Request) -> None:
        """What any request must satisfy, before the handler runs."""
        check_query(request.query_params, self.get_query_parameters())
        if_match(request)
        if request.method not in SAFE_METHODS:
            self.check_body(request)

    def check_body(self, request: Request) -> None:
        if "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length"):
            raise LengthRequired()
        body = request.data
        if self.takes_no_body() or (request.method == "DELETE" and not self.delete_takes_body):
            NoBody(data=body).is_valid(raise_exception=True)

    def takes_no_body(self) -> bool:
        serializer_class = getattr(self, "serializer_class", None)
        return isinstance(serializer_class, type) and issubclass(serializer_class, NoBody)

    def get_query_parameters(self) -> set[str]:
        return set(self.query_parameters)

    # --- Rate limits ------------------------------------------------------------------------------

    def check_throttles(self, request: Request) -> None:
        self.usages = throttling.consume(request._request, self.get_limits(request))
        throttling.refuse_exceeded(self.usages)

    def get_limits(self, request: Request) -> list[throttling.Limit]:
        if self.auth_limited and request.method not in SAFE_METHODS:
            return throttling.auth_limits(request._request, self.get_limited_account(request))
        user = request.user
        if user is not None and user.is_authenticated:
            return [throttling.user_limit(user.pk)]
        return [throttling.anonymous_limit(request._request)]

    def get_limited_account(self, request: Request) -> str | None:
        """The account an attempt to log in is about: the body's `username` or `email`."""
        try:
            body = request.data
        except APIException:
            return None
        name = (body.get("username") or body.get("email")) if hasattr(body, "get") else None
        return name if isinstance(name, str) else None

    # --- Answers ----------------------------------------------------------------------------------

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        return Response(status=204)

    def handle_exception(self, exc: Exception) -> Any:
        response = self.get_exception_handler()(exc, self.get_exception_handler_context())
        if response is None:
            raise exc
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "no-store")
        for name, value in throttling.headers(self.usages).items():
            response[name] = value
        self._add_etag(response)
        if self.attempt is not None and response.status_code < 400:
            self.attempt.store(response.render() if hasattr(response, "render") else response)
        if isinstance(response, Response):
            response.add_post_render_callback(self._let_go)
        return response

    @staticmethod
    def _let_go(response: Any) -> None:
        """Ends the circles of request, view and answer, each some 100 KB, so that they go before a collector comes."""
        if (context := response.renderer_context) is not None:
            response.renderer_context = None
            context["request"].parser_context.clear()
            context["view"].__dict__.clear()

    @staticmethod
    def _add_etag(response: Any) -> None:
        data = getattr(response, "data", None)
        version = data.get("version") if isinstance(data, dict) and response.status_code < 300 else None
        if isinstance(data, dict) and isinstance(version, int) and "id" in data:
            response["ETag"] = etag(version)

    # --- Idempotency-Key --------------------------------------------------------------------------

    def replay(self, request: Request) -> HttpResponse | None:
        """The stored answer to an earlier use of the caller's Idempotency-Key, if any."""
        key = idempotency_key(request) if request.method == "POST" else None
        user = request.user
        if key is None or not self.idempotent or user is None or not user.is_authenticated:
            return None
        attempt = Attempt.of(request, key, user.pk)
        replayed = attempt.replay()
        if replayed is None:
            self.attempt = attempt
        return replayed


class UnknownPath(APIView):
    """Everything below /api that is no endpoint."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.check_throttles(request)
        raise NotFound()


class GenericViewSet(APIView, viewsets.GenericViewSet[M]):
    """For an area's viewsets. `serializer_class` reads requests; `read_serializer_class` writes answers if it differs.

    `get_object()` locks the row and honours If-Match on everything but reads. `record_read()` is called with what a
    list or a single read shows; override it to note who saw what.
    """

    read_serializer_class: ClassVar[type[BaseSerializer[Any]] | None] = None
    lock_rows: ClassVar[bool] = True
    list_actions: ClassVar[Sequence[str]] = ("list",)

    def lookup_value(self) -> Any:
        """Which object the request is about; override it where the path doesn't say."""
        return self.kwargs[self.lookup_url_kwarg or self.lookup_field]

    def get_object(self) -> M:
        queryset = self.get_queryset()
        writes = self.request.method not in SAFE_METHODS
        if writes and self.lock_rows:
            queryset = queryset.select_for_update(of=("self",), no_key=True)
        instance = queryset.filter(**{self.lookup_field: self.lookup_value()}).order_by("pk").first()
        if instance is None:
            raise NotFound()
        self.check_object_permissions(self.request, instance)
        if writes:
            check_if_match(self.request, getattr(instance, "version", None))
        return instance

    def takes_no_body(self) -> bool:
        if self.serializer_class is None and type(self).get_serializer_class is GenericViewSet.get_serializer_class:
            return True
        return issubclass(self.get_serializer_class(), NoBody)

    def is_list(self) -> bool:
        return self.action in self.list_actions if self.lists is None else self.lists

    def get_query_parameters(self) -> set[str]:
        names = super().get_query_parameters()
        if not self.is_list():
            return names
        for backend in self.filter_backends:
            if issubclass(backend, FilterBackend | OrderingBackend):
                names |= backend().parameter_names(self)
        return names | PAGINATION_PARAMETERS if self.pagination_class else names

    # --- Answers ----------------------------------------------------------------------------------

    def validated(self) -> Any:
        """The body, read by this action's serializer."""
        serializer = self.get_serializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def get_read_serializer_class(self) -> type[BaseSerializer[Any]]:
        return self.read_serializer_class or type(self).serializer_class or self.get_serializer_class()

    def represent(self, instance: Any) -> Any:
        """An object as it is in the database now: one statement, unless the serializer needs the object itself."""
        serializer_class: Any = self.get_read_serializer_class()
        if not renderable(serializer_class):
            return serializer_class(instance, context=self.get_serializer_context()).data
        rows, _ = fetch(type(instance)._default_manager.filter(pk=instance.pk).order_by(), serializer_class)
        return rows[0]

    def rows_of(self, queryset: QuerySet[Any, Any], extras: Sequence[str] = ()) -> tuple[list[Any], list[Any]]:
        """The queryset's rows as they are shown, and beside each the values of the paths `extras`.

        One statement, unless the serializer has code that only works on objects.
        """
        serializer_class: Any = self.get_read_serializer_class()
        if renderable(serializer_class):
            return fetch(queryset, serializer_class, extras)
        objects = list(queryset)
        shown = serializer_class(objects, many=True, context=self.get_serializer_context()).data
        return list(shown), [[value_at(each, path) for path in extras] for each in objects]

    def object_response(self, instance: Any, status: int = 200) -> Response:
        """For actions: the changed object."""
        return Response(self.represent(instance), status=status)

    def page_response(self, queryset: QuerySet[Any, Any]) -> Response:
        """For lists: filtered, sorted, one page."""
        filtered = self.filter_queryset(queryset)
        paginator: Any = self.paginator
        if paginator is None:
            data, _ = self.rows_of(filtered)
        else:
            page = paginator.page_queryset(filtered, self.request)
            data = paginator.take(*self.rows_of(page, paginator.names))
        self.record_read(data)
        return Response(data) if paginator is None else paginator.get_paginated_response(data)

    def record_read(self, data: Any) -> None:
        """Called with one object or a list of them, as rendered."""

    def replay(self, request: Request) -> HttpResponse | None:
        """What is shown again is read again."""
        replayed = super().replay(request)
        shown = orjson.loads(replayed.content) if replayed is not None and replayed.content else None
        if isinstance(shown, dict) and "id" in shown:
            self.record_read(shown)
        return replayed


class ListMixin(GenericViewSet[M]):
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.page_response(self.get_queryset())


class RetrieveMixin(GenericViewSet[M]):
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        data = self.represent(self.get_object()) if self.asks_for_object() else self.read_one()
        self.record_read(data)
        return Response(data)

    def asks_for_object(self) -> bool:
        """Whether a read has to look at the object itself first: who may read only their own rows is asked for each."""
        asked = (getattr(each, "reads_any_object", None) for each in self.get_permissions())
        return not all(ask is not None and ask(self.request, self) for ask in asked)

    def read_one(self) -> Any:
        rows, _ = self.rows_of(where(self.get_queryset(), (self.lookup_field, "exact", self.lookup_value())).order_by())
        if not rows:
            raise NotFound()
        return rows[0]


class CreateMixin(GenericViewSet[M]):
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = self.represent(self.perform_create(serializer))
        return Response(data, status=201, headers={"Location": f"{request.path}/{data['id']}"})

    def perform_create(self, serializer: BaseSerializer[M]) -> M:
        """Override it to call a service with `serializer.validated_data`; return the new object."""
        return serializer.save()


class UpdateMixin(GenericViewSet[M]):
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        instance = self.get_object()
        serializer = self.get_serializer(instance, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self.object_response(self.perform_update(serializer))

    def perform_update(self, serializer: BaseSerializer[M]) -> M:
        """Override it to call a service; return the changed object."""
        return serializer.save()


class DestroyMixin(GenericViewSet[M]):
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.perform_destroy(self.get_object())
        return Response(status=204)

    def perform_destroy(self, instance: M) -> None:
        instance.delete()


class ReadOnlyModelViewSet(ListMixin[M], RetrieveMixin[M]):
    """List and retrieve."""


class ModelViewSet(ListMixin[M], RetrieveMixin[M], CreateMixin[M], UpdateMixin[M], DestroyMixin[M]):
    """List, retrieve, create, change and delete."""


class ArchivedModelViewSet(ListMixin[M], RetrieveMixin[M], CreateMixin[M], UpdateMixin[M]):
    """For what is never deleted."""
