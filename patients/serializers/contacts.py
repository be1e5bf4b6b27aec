from config.api import fields
from config.api.serializers import StrictModelSerializer
from patients.models import ContactPoint


class ContactPointSerializer(StrictModelSerializer[ContactPoint]):
    value = fields.TextField(max_length=254)

    class Meta:
        model = ContactPoint
        fields = ["id", "kind", "value", "use", "rank", "version", "created_at", "updated_at"]
        read_only_fields = ["version"]
        extra_kwargs = {"rank": {"min_value": 1, "max_value": 100}}
