"""What lies under /api/v1 besides the apps' own endpoints, and the answer to every unknown path."""

from django.urls import path, re_path

from config.api.docs import MetaView, RedocView, SchemaView, SwaggerView
from config.api.views import UnknownPath

urlpatterns = [
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", SwaggerView.as_view(url_name="schema"), name="docs"),
    path("redoc", RedocView.as_view(url_name="schema"), name="redoc"),
    path("meta", MetaView.as_view(), name="meta"),
]

unknown_path = re_path(r"^api(/.*)?$", UnknownPath.as_view())
