from practices.models.base import ConcurrentEdit, RemembersValues, TenantModel, VersionedModel, new_id
from practices.models.calendar import CancellationReason, Closure
from practices.models.key import PracticeKey
from practices.models.place import Location, Resource
from practices.models.practice import Practice, PracticePolicy, TimeZoneField

__all__ = [
    "CancellationReason",
    "Closure",
    "ConcurrentEdit",
    "Location",
    "Practice",
    "PracticeKey",
    "PracticePolicy",
    "RemembersValues",
    "Resource",
    "TenantModel",
    "TimeZoneField",
    "VersionedModel",
    "new_id",
]
