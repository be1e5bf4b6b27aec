"""The practice's members, and those among them who see patients."""

from typing import ClassVar, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts import services
from accounts.models import Membership, ProviderProfile
from accounts.roles import Access, Area
from accounts.serializers.members import MemberSerializer, ProviderSerializer
from config.api.serializers import NoBody
from config.api.views import SAFE_METHODS, DestroyMixin, ListMixin, ModelViewSet, RetrieveMixin, UpdateMixin
from practices.tenancy import current_actor


class MemberViewSet(
    ListMixin[Membership], RetrieveMixin[Membership], UpdateMixin[Membership], DestroyMixin[Membership]
):
    """Changing `roles`, suspending and removing take effect at the member's next request. Only owners change owners
    and remove members; nobody raises their own roles.
    """

    queryset = Membership.objects.select_related("user")
    serializer_class = MemberSerializer
    read_serializer_class = MemberSerializer
    filterset_fields = {"status": ["exact"], "user": ["exact"]}
    ordering = ("created_at",)
    ordering_fields = ("created_at",)
    action_access: ClassVar[dict[str, tuple[Area, Access]]] = {
        "suspend": (Area.MEMBERS, Access.WRITE),
        "reactivate": (Area.MEMBERS, Access.WRITE),
    }

    def get_object(self) -> Membership:
        """Locks before looking, in the services' order, so that If-Match is compared with what will be changed."""
        if self.request.method not in SAFE_METHODS:
            services.lock_with_owners(member=UUID(self.kwargs["pk"]))
        return super().get_object()

    def perform_update(self, serializer: BaseSerializer[Membership]) -> Membership:
        membership = cast(Membership, serializer.instance)
        roles = serializer.validated_data.get("roles", membership.roles)
        return services.change_roles(member=membership.pk, roles=roles, by=current_actor())

    def perform_destroy(self, instance: Membership) -> None:
        services.remove(member=instance.pk, by=current_actor())

    @extend_schema(request=None, responses=MemberSerializer)
    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def suspend(self, request: Request, pk: str) -> Response:
        return self.object_response(services.suspend(member=self.get_object().pk, by=current_actor()))

    @extend_schema(request=None, responses=MemberSerializer)
    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def reactivate(self, request: Request, pk: str) -> Response:
        return self.object_response(services.reactivate(member=self.get_object().pk, by=current_actor()))


class ProviderViewSet(ModelViewSet[ProviderProfile]):
    """A provider's calendar, the `resource`, comes, is renamed and goes with the profile."""

    queryset = ProviderProfile.objects.all()
    serializer_class = ProviderSerializer
    filterset_fields = {"active": ["exact"], "accepts_new": ["exact"], "membership": ["exact"]}
    ordering = ("display_name",)
    ordering_fields = ("display_name", "created_at")

    def perform_create(self, serializer: BaseSerializer[ProviderProfile]) -> ProviderProfile:
        return services.create_provider(by=current_actor(), **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[ProviderProfile]) -> ProviderProfile:
        profile = cast(ProviderProfile, serializer.instance)
        return services.update_provider(profile=profile, by=current_actor(), **serializer.validated_data)

    def perform_destroy(self, instance: ProviderProfile) -> None:
        services.delete_provider(profile=instance, by=current_actor())
