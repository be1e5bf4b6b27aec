from django.contrib import admin
from django.urls import include, path

from config.api.routers import by_first_word
from config.api.urls import unknown_path

# Each app's endpoints, the busiest first; an app's urls.py holds `urlpatterns` of a `config.api.routers.Router`.
api_v1 = [
    path("", include("patients.urls")),
    path("", include("appointments.urls")),
    path("", include("practices.urls")),
    path("", include("accounts.urls")),
    path("", include("integrations.urls")),
    path("", include("audit.urls")),
    path("", include("config.api.urls")),
]

urlpatterns = [
    path("api/v1/", include(by_first_word(api_v1))),
    path("admin/", admin.site.urls),
    path("", include("integrations.storage.urls")),
    unknown_path,
]

handler400 = "config.api.handlers.bad_request"
handler403 = "config.api.handlers.permission_denied"
handler404 = "config.api.handlers.not_found"
handler500 = "config.api.handlers.server_error"
