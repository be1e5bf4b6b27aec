from typing import ClassVar

from patients.models import RelatedPerson
from patients.serializers.related_persons import RelatedPersonSerializer
from patients.views.parts import PatientPartViewSet


class RelatedPersonViewSet(PatientPartViewSet):
    queryset = RelatedPerson.objects.all()
    serializer_class = RelatedPersonSerializer
    filterset_fields: ClassVar[list[str]] = ["guardian", "emergency"]
