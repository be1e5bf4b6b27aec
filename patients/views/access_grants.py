from typing import Any, ClassVar

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.authentication import caller
from accounts.roles import Access, Area
from config.api.filters import BooleanFilter, FilterSet
from config.api.problem import FieldError, Forbidden, NotFound
from config.api.views import CreateMixin, ListMixin, RetrieveMixin
from patients.models import AccessGrant, Patient
from patients.serializers.access_grants import AccessGrantRequest, AccessGrantSerializer, ReviewRequest
from patients.services import access_grants
from patients.signals import patient_data_read
from patients.views.parts import acting

WRONG_PASSWORD = "This is not your password."  # noqa: S105  # what a refusal says


class PatientAccessGrantViewSet(CreateMixin[AccessGrant]):
    """Break-glass: an hour's access to one restricted chart, told to the owners and reviewed."""

    area = Area.BREAK_GLASS
    queryset = AccessGrant.objects.all()
    serializer_class = AccessGrantRequest
    read_serializer_class = AccessGrantSerializer
    auth_limited = True
    idempotent = False  # or a hash of the body would be kept, from which the password in it could be guessed
    patient: Patient

    def get_limited_account(self, request: Request) -> str | None:
        return request.user.email if request.user and request.user.is_authenticated else None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Whatever the body says: a chart that isn't there is not found."""
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            patient = Patient.objects.filter(pk=self.kwargs["patient_id"]).first()
            if patient is None:
                raise NotFound()
            self.patient = patient

    def perform_create(self, serializer: BaseSerializer[AccessGrant]) -> AccessGrant:
        if not caller(self.request).check_password(serializer.validated_data["password"]):
            error = FieldError("/password", "invalid_credentials", WRONG_PASSWORD)
            raise Forbidden(WRONG_PASSWORD, code="invalid_credentials", errors=[error])
        reason = serializer.validated_data["reason"]
        return access_grants.break_glass(patient=self.patient, reason=reason, by=acting())


class AccessGrantFilterSet(FilterSet):
    reviewed = BooleanFilter(field_name="reviewed_at", lookup_expr="isnull", exclude=True, label="Whether it has been.")
    user = django_filters.UUIDFilter(field_name="user_id", label="Who was let in.")

    class Meta:
        model = AccessGrant
        fields: ClassVar[list[str]] = ["patient"]


class AccessGrantViewSet(ListMixin[AccessGrant], RetrieveMixin[AccessGrant]):
    """The review queue of break-glass, newest first."""

    queryset = AccessGrant.objects.all()
    serializer_class = AccessGrantSerializer
    read_serializer_class = AccessGrantSerializer
    filterset_class = AccessGrantFilterSet
    ordering = ("-created_at",)
    ordering_fields = ("created_at",)
    action_access: ClassVar[dict[str, tuple[str, Access]]] = {"review": (Area.AUDIT, Access.WRITE)}

    def record_read(self, data: Any) -> None:
        rows = data if isinstance(data, list) else [data]
        if rows:
            patient_data_read.send(AccessGrant, patient_ids=[row["patient"] for row in rows])

    @extend_schema(request=ReviewRequest, responses=AccessGrantSerializer)
    @action(detail=True, methods=["post"], serializer_class=ReviewRequest)
    def review(self, request: Request, pk: str) -> Response:
        """Say that it has been looked into. Nobody reviews their own."""
        grant = self.get_object()
        return self.object_response(access_grants.review(grant=grant, by=acting(), **self.validated()))
