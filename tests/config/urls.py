"""A small API on real models, to try the base classes with."""

from typing import Any
from uuid import UUID

from django.urls import include, path
from rest_framework.authentication import BaseAuthentication
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import fields
from config.api.filters import ChoiceInFilter, IdInFilter, UpdatedSinceFilterSet
from config.api.problem import Conflict
from config.api.routers import Router
from config.api.serializers import NoBody, StrictModelSerializer, StrictSerializer
from config.api.signing import AccessToken, decoded
from config.api.urls import unknown_path
from config.api.views import APIView, ModelViewSet
from practices.models import Location, Resource


class Caller:
    is_authenticated = True

    def __init__(self, pk: UUID) -> None:
        self.pk = pk


class BearerAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return (Caller(UUID(decoded(AccessToken, token)["sub"])), None) if scheme == "Bearer" else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class LocationSerializer(StrictModelSerializer[Location]):
    class Meta:
        model = Location
        fields = ["id", "name", "city", "country", "active", "version", "created_at", "updated_at"]
        read_only_fields = ["version"]


class LocationFilterSet(UpdatedSinceFilterSet):
    class Meta:
        model = Location
        fields = {"name": ["exact"], "active": ["exact"], "created_at": ["gte", "lt"]}


class LocationViewSet(ModelViewSet[Location]):
    authentication_classes = [BearerAuthentication]
    permission_classes = [IsAuthenticated]
    queryset = Location.objects.all()
    serializer_class = LocationSerializer
    filterset_class = LocationFilterSet
    ordering = ["name"]
    ordering_fields = {"name": "name", "created_at": "created_at", "place": ("country", "city")}

    read: list[Any] = []

    def record_read(self, data: Any) -> None:
        self.read.append(data)

    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def close(self, request: Request, pk: UUID) -> Response:
        location = self.get_object()
        location.active = False
        location.save()
        return self.object_response(location)

    @action(detail=True, methods=["post"], serializer_class=NoBody, url_path="fail-late")
    def fail_late(self, request: Request, pk: UUID) -> Response:
        location = self.get_object()
        location.active = False
        location.save()
        raise Conflict("No.", code="never", hint="try nothing")


class ResourceSerializer(StrictModelSerializer[Resource]):
    class Meta:
        model = Resource
        fields = ["id", "kind", "name", "location", "capacity", "version"]
        read_only_fields = ["version"]


class ResourceFilterSet(UpdatedSinceFilterSet):
    kind__in = ChoiceInFilter(field_name="kind", choices=Resource.Kind.choices)
    id__in = IdInFilter(field_name="id")

    class Meta:
        model = Resource
        fields = ["location", "kind"]


class ResourceViewSet(ModelViewSet[Resource]):
    authentication_classes = [BearerAuthentication]
    permission_classes = [IsAuthenticated]
    queryset = Resource.objects.all()
    serializer_class = ResourceSerializer
    filterset_class = ResourceFilterSet
    ordering_fields = ["location", "kind", "name", "capacity"]


class Numbers(StrictSerializer):
    text = fields.TextField(max_length=10)
    lines = fields.MultilineField(required=False)
    count = fields.IntegerField(required=False)
    flag = fields.BooleanField(required=False)
    on = fields.DateField(required=False)
    at = fields.InstantField(required=False)
    time = fields.TimeField(required=False)
    id = fields.UUIDField(required=False)
    kind = fields.ChoiceField(choices=["a", "b"], required=False)
    price = fields.MoneyField(amount="amount", currency="currency", required=False)


class EchoView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]
    serializer_class = Numbers
    query_parameters = ["word"]

    def get(self, request: Request) -> Response:
        return Response({"word": request.query_params.get("word")})

    def post(self, request: Request) -> Response:
        serializer = Numbers(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response({name: str(value) for name, value in serializer.validated_data.items()})


class LoginView(EchoView):
    auth_limited = True

    def post(self, request: Request) -> Response:
        return Response({"ok": True})


class BrokenView(EchoView):
    def get(self, request: Request) -> Response:
        raise RuntimeError("secret detail")


router = Router()
router.register("locations", LocationViewSet)
router.register("resources", ResourceViewSet)

urlpatterns = [
    path("api/v1/", include(router.urls)),
    path("api/v1/echo", EchoView.as_view()),
    path("api/v1/login", LoginView.as_view()),
    path("api/v1/broken", BrokenView.as_view()),
    path("api/v1/", include("config.api.urls")),
    unknown_path,
]
handler400 = "config.api.handlers.bad_request"
handler403 = "config.api.handlers.permission_denied"
handler404 = "config.api.handlers.not_found"
handler500 = "config.api.handlers.server_error"
