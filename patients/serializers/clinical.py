from config.api import fields
from config.api.serializers import StrictModelSerializer
from patients.models import Allergy, MedicationStatement

CODED = ["code", "code_system", "note", "version", "created_at", "updated_at"]


class AllergySerializer(StrictModelSerializer[Allergy]):
    reaction = fields.TextField(required=False, allow_blank=True, max_length=500)
    note = fields.MultilineField(required=False, allow_blank=True, max_length=10_000)

    class Meta:
        model = Allergy
        fields = [
            *("id", "substance", "category", "criticality", "clinical_status", "verification_status"),
            *("reaction", "onset", *CODED),
        ]
        read_only_fields = ["version"]


class MedicationStatementSerializer(StrictModelSerializer[MedicationStatement]):
    dosage = fields.TextField(required=False, allow_blank=True, max_length=500)
    note = fields.MultilineField(required=False, allow_blank=True, max_length=10_000)

    class Meta:
        model = MedicationStatement
        fields = ["id", "medication", "status", "dosage", "period_start", "period_end", *CODED]
        read_only_fields = ["version"]
