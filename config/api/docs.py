"""The contract as a file, as Swagger UI and as ReDoc, all from this host, and what version is running."""

import hashlib
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import fields
from config.api.serializers import StrictSerializer
from config.api.views import APIView

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'"
)


class PublicView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class SchemaView(PublicView):
    """YAML unless the caller accepts JSON better. Made once per process."""

    schema = None
    renderer_classes = (OpenApiYamlRenderer, OpenApiYamlRenderer2, OpenApiJsonRenderer, OpenApiJsonRenderer2)

    def get(self, request: Request) -> Response:
        return Response(openapi(), headers={"Content-Disposition": 'inline; filename="openapi"'})


_making = Lock()
"""drf-spectacular loads its extensions as it makes the first contract, which two threads at once trip over."""


def openapi() -> Any:
    with _making:
        return _made()


@lru_cache(maxsize=1)
def _made() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


class MetaSerializer(StrictSerializer):
    version = fields.TextField(help_text="Of the API.")
    contract = fields.TextField(help_text="SHA-256 of the committed openapi.yaml; changes whenever the contract does.")


class MetaView(PublicView):
    """The version that is running, for a client to check that it was built against the same contract."""

    serializer_class: ClassVar[type[MetaSerializer]] = MetaSerializer

    @extend_schema(operation_id="meta", tags=["meta"])
    def get(self, request: Request) -> Response:
        return Response({"version": settings.API_VERSION, "contract": contract_hash()})


@lru_cache(maxsize=1)
def contract_hash() -> str:
    """Empty until a contract has been committed."""
    path = Path(settings.BASE_DIR) / "openapi.yaml"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


class SwaggerView(SpectacularSwaggerSplitView):
    """The script comes from its own URL, so that no script is inline."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return _locked_down(super().get(request, *args, **kwargs))  # type: ignore[no-untyped-call]  # untyped there


class RedocView(SpectacularRedocView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None
    template_name = "docs/redoc.html"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return _locked_down(super().get(request, *args, **kwargs))  # type: ignore[no-untyped-call]  # untyped there


def _locked_down(response: Response) -> Response:
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response
