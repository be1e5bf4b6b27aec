from typing import Any

from django.urls import include, path

from config.api.routers import Router
from practices import views

router = Router()
router.register("locations", views.LocationViewSet)
router.register("resources", views.ResourceViewSet)
router.register("closures", views.ClosureViewSet)
router.register("cancellation-reasons", views.CancellationReasonViewSet)

ONE: dict[str, Any] = {"get": "retrieve", "patch": "partial_update"}

urlpatterns = [
    path("practice", views.PracticeViewSet.as_view(ONE, detail=True), name="practice"),
    path("practice/policy", views.PracticePolicyViewSet.as_view(ONE, detail=True), name="practice-policy"),
    path("", include(router.urls)),
]
