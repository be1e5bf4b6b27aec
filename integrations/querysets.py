from typing import Any

from patients.models import Patient
from practices.querysets import TenantManager, TenantQuerySet
from practices.tenancy import Actor


class MessageQuerySet(TenantQuerySet[Any]):
    def visible_to(self, actor: Actor) -> "MessageQuerySet":
        """Messages to the patients whom the actor may see: a restricted chart's are as hidden as the chart."""
        return self.filter(patient__in=Patient.objects.visible_to(actor))


class MessageManager(TenantManager.from_queryset(MessageQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Messages of the active practice."""
