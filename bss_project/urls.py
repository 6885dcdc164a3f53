"""Addresses of the web process."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

admin.autodiscover()

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("apps.crmapi.rest.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
