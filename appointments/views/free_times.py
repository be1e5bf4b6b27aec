from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import Area
from appointments.calendars import Search, as_json, search
from appointments.local_time import ceil_seconds
from appointments.serializers.free_times import FreeTimeQuery, FreeTimeSerializer
from config.api.views import APIView


class FreeTimesView(APIView):
    """When a visit could start, by start, then provider. It says nothing about who takes the other times."""

    area = Area.APPOINTMENTS
    query_parameters = ("appointment_type", "from", "to", "provider", "location", "time_zone")

    @extend_schema(
        operation_id="free_times_list",
        tags=["appointments"],
        parameters=[FreeTimeQuery],
        responses=FreeTimeSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        query = FreeTimeQuery.read(request)
        provider, location = query.get("provider"), query.get("location")
        asked = Search(
            appointment_type=query["appointment_type"],
            start=ceil_seconds(query["from"]),
            end=ceil_seconds(query["to"]),
            provider=provider and provider.pk,
            location=location and location.pk,
        )
        visit, shown_in = asked.visit, query.get("time_zone")
        return Response([as_json(free, visit, shown_in) for free in search(asked, now=timezone.now())])
