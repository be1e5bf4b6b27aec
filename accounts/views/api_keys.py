from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import api_keys
from accounts.models import ApiKey
from accounts.serializers.api_keys import ApiKeyRequest, ApiKeySerializer, NewApiKeySerializer
from config.api.views import DestroyMixin, ListMixin, RetrieveMixin
from practices.tenancy import current_actor


class ApiKeyViewSet(ListMixin[ApiKey], RetrieveMixin[ApiKey], DestroyMixin[ApiKey]):
    """For programs. A key does what its scopes say, as far as the roles of who made it go at that moment."""

    queryset = ApiKey.objects.select_related("member__user")
    serializer_class = ApiKeyRequest
    read_serializer_class = ApiKeySerializer
    filterset_fields = {"prefix": ["exact"]}
    ordering = ("-created_at",)
    ordering_fields = ("created_at", "expires_at", "name")
    idempotent = False  # or the key would be kept with the answer
    lock_rows = False

    @extend_schema(request=ApiKeyRequest, responses={201: NewApiKeySerializer})
    def create(self, request: Request) -> Response:
        """The key is in this answer and nowhere else."""
        row, key = api_keys.create_key(by=current_actor(), **self.validated())
        row.key = key  # type: ignore[attr-defined]  # read by the serializer, once
        body = NewApiKeySerializer(row).data
        return Response(body, status=201, headers={"Location": f"{request.path}/{row.pk}"})

    def perform_destroy(self, instance: ApiKey) -> None:
        """It stays in the list, as revoked."""
        api_keys.revoke_key(key=instance.pk, by=current_actor())
