from django.urls import path

from integrations.storage.views import local_file

urlpatterns = [
    path("files/<str:token>", local_file, name="local-file"),
]
