from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.routers import DefaultRouter

from tests.benchmarks.drf.views import AppointmentViewSet, PatientViewSet


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


router = DefaultRouter(trailing_slash=False)
router.register("patients", PatientViewSet)
router.register("appointments", AppointmentViewSet)
urlpatterns = [path("healthz", healthz), path("api/v1/", include(router.urls))]
