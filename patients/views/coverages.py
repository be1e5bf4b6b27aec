from typing import ClassVar

from patients.models import Coverage
from patients.serializers.coverages import CoverageSerializer
from patients.views.parts import KeptPatientPartViewSet


class CoverageViewSet(KeptPatientPartViewSet):
    """Never deleted, since bills refer to it: one that was wrong is entered in error."""

    queryset = Coverage.objects.all()
    serializer_class = CoverageSerializer
    filterset_fields: ClassVar[list[str]] = ["status"]
    ordering = ("order",)
