from rest_framework import serializers

from accounts.serializers.members import MemberUserSerializer
from config.api import fields
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import DuplicateCandidate, Patient
from patients.serializers.merges import VisiblePatientField


class PairRequest(StrictSerializer):
    first = VisiblePatientField()
    second = VisiblePatientField()
    reason = fields.TextField(max_length=500)


class DecisionRequest(StrictSerializer):
    note = fields.TextField(max_length=500, required=False, default="", allow_blank=True)


class ComparedPatientSerializer(StrictModelSerializer[Patient]):
    class Meta:
        model = Patient
        fields = ["id", "mrn", "given_name", "family_name", "birth_date", "birth_date_precision", "sex", "status"]
        read_only_fields = fields


class DuplicateCandidateSerializer(StrictModelSerializer[DuplicateCandidate]):
    """Two charts that may be one person's, why, and what was decided."""

    first = ComparedPatientSerializer(read_only=True)
    second = ComparedPatientSerializer(read_only=True)
    matched = serializers.ListField(
        child=fields.ChoiceField(choices=DuplicateCandidate.Match.choices),
        read_only=True,
        help_text="What both have in common.",
    )
    proposed_by = MemberUserSerializer(read_only=True, allow_null=True)
    decided_by = MemberUserSerializer(read_only=True, allow_null=True)

    class Meta:
        model = DuplicateCandidate
        fields = [
            *("id", "first", "second", "score", "matched", "status", "proposed_by", "reason"),
            *("decided_at", "decided_by", "note", "created_at", "updated_at"),
        ]
        read_only_fields = fields
