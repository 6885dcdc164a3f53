"""Addresses of the REST door, below ``/api/v1/``."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.crmapi.rest.endpoints import ENDPOINTS
from apps.crmapi.rest.views import url_patterns


class Schema(SpectacularAPIView):
    """The OpenAPI document; it says nothing of customers, so it needs no token."""

    renderer_classes = [OpenApiJsonRenderer]
    authentication_classes = []


@extend_schema(exclude=True)
class Nothing(APIView):
    """Any other address: a problem document, as for everything else here."""

    authentication_classes = []

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.http_method_names = [str(request.method).lower()]
        setattr(self, str(request.method).lower(), self.nothing)
        return super().dispatch(request, *args, **kwargs)

    def nothing(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise NotFound(f"There is nothing at {request.path}; see /api/v1/docs.")


urlpatterns = [
    *url_patterns(ENDPOINTS),
    path("openapi.json", Schema.as_view(), name="rest-openapi"),
    path("docs", SpectacularSwaggerView.as_view(url_name="rest-openapi"), name="rest-docs"),
    path(
        "redoc",
        SpectacularRedocView.as_view(url_name="rest-openapi", template_name="rest/redoc.html"),
        name="rest-redoc",
    ),
    re_path(r"^.*$", Nothing.as_view()),
]
