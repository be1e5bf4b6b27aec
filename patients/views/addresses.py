from typing import ClassVar

from patients.models import Address
from patients.serializers.addresses import AddressSerializer
from patients.views.parts import PatientPartViewSet


class AddressViewSet(PatientPartViewSet):
    queryset = Address.objects.all()
    serializer_class = AddressSerializer
    filterset_fields: ClassVar[list[str]] = ["use"]
