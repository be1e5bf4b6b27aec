from typing import Any

from config.api.views import ListMixin, ModelViewSet, RetrieveMixin
from patients.models import PatientTag, Tag
from patients.serializers.tags import PatientTagSerializer, TagSerializer
from patients.views.parts import AddsPart, RemovesPart


class TagViewSet(ModelViewSet[Tag]):
    """The words themselves; deleting one takes it off every patient."""

    queryset = Tag.objects.all()
    serializer_class = TagSerializer
    ordering = ("name",)


class PatientTagViewSet(AddsPart, RemovesPart, ListMixin[Any], RetrieveMixin[Any]):
    queryset = PatientTag.objects.all()
    serializer_class = PatientTagSerializer
