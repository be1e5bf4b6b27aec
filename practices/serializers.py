from rest_framework.serializers import ListField, ValidationError

from config.api.fields import ChoiceField
from config.api.serializers import StrictModelSerializer
from practices.models import CancellationReason, Closure, Location, Practice, PracticePolicy, Resource
from practices.roles import Role

STAMPS = ["id", "version", "created_at", "updated_at"]


class PracticeSerializer(StrictModelSerializer[Practice]):
    class Meta:
        model = Practice
        fields = [*STAMPS, "slug", "name", "legal_name", "time_zone", "locale", "currency", "status"]
        read_only_fields = [*STAMPS, "slug", "status"]


class PracticePolicySerializer(StrictModelSerializer[PracticePolicy]):
    mfa_required_roles = ListField(child=ChoiceField(choices=Role.choices), required=False, max_length=len(Role))

    class Meta:
        model = PracticePolicy
        fields = [
            *STAMPS,
            "min_notice_minutes",
            "horizon_days",
            "cancel_notice_hours",
            "hold_ttl_seconds",
            "offer_ttl_minutes",
            "no_show_after_minutes",
            "require_cancel_reason",
            "quiet_hours_start",
            "quiet_hours_end",
            "retention_years",
            "mfa_required_roles",
        ]
        read_only_fields = STAMPS


class LocationSerializer(StrictModelSerializer[Location]):
    class Meta:
        model = Location
        fields = [
            *STAMPS,
            "name",
            "time_zone",
            "address_line1",
            "address_line2",
            "city",
            "region",
            "postal_code",
            "country",
            "phone",
            "active",
        ]
        read_only_fields = STAMPS


class ResourceSerializer(StrictModelSerializer[Resource]):
    """Rooms and equipment are made here; a provider's calendar is made with the provider's profile."""

    class Meta:
        model = Resource
        fields = [*STAMPS, "kind", "name", "location", "provider", "capacity", "active"]
        read_only_fields = [*STAMPS, "provider"]

    def validate_kind(self, kind: str) -> str:
        made_by_profile = Resource.Kind.PROVIDER
        before = self.instance.kind if isinstance(self.instance, Resource) else None
        if kind != before and made_by_profile in {kind, before}:
            raise ValidationError("A provider's calendar comes and goes with the provider's profile.", code="invalid")
        return kind


class ClosureSerializer(StrictModelSerializer[Closure]):
    class Meta:
        model = Closure
        fields = [*STAMPS, "name", "location", "start_date", "end_date", "start_time", "end_time"]
        read_only_fields = STAMPS
        # Said to be empty rather than left open: constraints are only asked about fields that are known.
        extra_kwargs = {"start_time": {"default": None}, "end_time": {"default": None}}


class CancellationReasonSerializer(StrictModelSerializer[CancellationReason]):
    class Meta:
        model = CancellationReason
        fields = [*STAMPS, "code", "name", "by", "active"]
        read_only_fields = STAMPS

    def validate_code(self, code: str) -> str:
        """Fixed once given: reports and the expiry of holds find the reason by it."""
        if isinstance(self.instance, CancellationReason) and code != self.instance.code:
            raise ValidationError("A code can't be changed; make another reason.", code="immutable")
        return code
