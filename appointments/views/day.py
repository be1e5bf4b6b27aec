from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import Area
from appointments.day import day_at
from appointments.models import Appointment
from appointments.serializers.day import DayQuery, DaySerializer
from config.api.views import APIView
from patients.signals import patient_data_read


class DayView(APIView):
    """A location's day: providers with their hours, visits, gaps and waiting times, in one answer."""

    area = Area.APPOINTMENTS
    query_parameters = ("location", "date")

    @extend_schema(operation_id="day_retrieve", tags=["appointments"], parameters=[DayQuery], responses=DaySerializer)
    def get(self, request: Request) -> Response:
        query = DayQuery.read(request)
        day = day_at(query["location"], query["date"], now=timezone.now())
        seen = [visit.patient_id for each in day.providers for visit in each.visits]
        patient_data_read.send(Appointment, patient_ids=seen)
        return Response(DaySerializer(day).data)
