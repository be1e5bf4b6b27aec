from typing import Any

import orjson
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import Area
from appointments.calendars import Search, next_free, search
from appointments.free_time_rows import as_text
from appointments.local_time import ceil_seconds
from appointments.serializers.free_times import RESOURCES, FreeTimeQuery, FreeTimeSerializer, NextFreeTimeQuery
from config.api.views import APIView

_COMMON = ("appointment_type", "from", "to", "provider", "location", "resources", "time_zone")


def _asked(query: dict[str, Any]) -> Search:
    provider, location = query.get("provider"), query.get("location")
    return Search(
        appointment_type=query["appointment_type"],
        start=ceil_seconds(query["from"]),
        end=ceil_seconds(query["to"]),
        provider=provider and provider.pk,
        location=location and location.pk,
        resources=tuple(resource.pk for resource in query.get("resources", ())),
    )


class FreeTimesView(APIView):
    """When a visit could start, by start, then provider. It says nothing about who takes the other times."""

    area = Area.APPOINTMENTS
    query_parameters = _COMMON

    @extend_schema(
        operation_id="free_times_list",
        tags=["appointments"],
        parameters=[FreeTimeQuery, RESOURCES],
        responses=FreeTimeSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        query = FreeTimeQuery.read(request)
        asked = _asked(query)
        found = search(asked, now=timezone.now())
        return Response(orjson.Fragment(as_text(found, asked.visit, query.get("time_zone"))))


class NextFreeTimesView(APIView):
    """The first times at which a visit could start, of all providers unless one is named."""

    area = Area.APPOINTMENTS
    query_parameters = (*_COMMON, "limit")

    @extend_schema(
        operation_id="free_times_next",
        tags=["appointments"],
        parameters=[NextFreeTimeQuery, RESOURCES],
        responses=FreeTimeSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        query = NextFreeTimeQuery.read(request)
        asked = _asked(query)
        found = next_free(asked, query["limit"], now=timezone.now())
        return Response(orjson.Fragment(as_text(found, asked.visit, query.get("time_zone"))))
