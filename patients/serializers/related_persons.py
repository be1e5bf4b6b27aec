from config.api import fields
from config.api.serializers import StrictModelSerializer
from patients.models import RelatedPerson


class RelatedPersonSerializer(StrictModelSerializer[RelatedPerson]):
    phone = fields.TextField(required=False, allow_blank=True, max_length=50, help_text="Kept as E.164.")
    email = fields.TextField(required=False, allow_blank=True, max_length=254)

    class Meta:
        model = RelatedPerson
        fields = [
            *("id", "given_name", "family_name", "relationship", "phone", "email", "guardian", "emergency"),
            *("authority", "period_start", "period_end", "version", "created_at", "updated_at"),
        ]
        read_only_fields = ["version"]
