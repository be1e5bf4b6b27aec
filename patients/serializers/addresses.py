from config.api.serializers import StrictModelSerializer
from patients.models import Address


class AddressSerializer(StrictModelSerializer[Address]):
    class Meta:
        model = Address
        fields = [
            *("id", "use", "type", "line1", "line2", "city", "state", "postal_code", "country"),
            *("period_start", "period_end", "version", "created_at", "updated_at"),
        ]
        read_only_fields = ["version"]
