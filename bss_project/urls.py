"""Addresses of the web process."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView

from apps.runtime import probes

admin.autodiscover()


def _ready(_: HttpRequest) -> HttpResponse:
    """Whether this web may be sent requests; else what is not well."""
    wrong, said = probes.readiness()
    return HttpResponse(said, status=503 if wrong else 200, content_type="text/plain; charset=utf-8")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("apps.crmapi.rest.urls")),
    path("livez", lambda _: HttpResponse("ok\n", content_type="text/plain")),
    path("readyz", _ready),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
