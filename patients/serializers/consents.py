from config.api.serializers import StrictModelSerializer
from patients.models import Consent


class ConsentSerializer(StrictModelSerializer[Consent]):
    class Meta:
        model = Consent
        fields = ["id", "kind", "status", "version", "at", "wording", "created_at"]
        read_only_fields = ["version"]
