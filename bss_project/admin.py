"""Users and groups in the admin's look."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.backoffice.tenancy import tenants_of
from apps.crm.models import StaffTenant

admin.site.index_title = "Dashboard"
admin.site.empty_value_display = "–"
admin.site.unregister(User)
admin.site.unregister(Group)


class OperatorsOnly:
    """People and groups are the operator's: staff of some tenants would see others' and could give themselves more."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return tenants_of(request) is None and super().has_module_permission(request)  # type: ignore[misc]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return tenants_of(request) is None and super().has_view_permission(request, obj)  # type: ignore[misc]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return tenants_of(request) is None and super().has_add_permission(request)  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return tenants_of(request) is None and super().has_change_permission(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return tenants_of(request) is None and super().has_delete_permission(request, obj)  # type: ignore[misc]


class TenantInline(TabularInline):
    model = StaffTenant
    extra = 0
    verbose_name_plural = "Works for these tenants alone (none here: for all)"


@admin.register(User)
class UserAdmin(OperatorsOnly, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    inlines = (TenantInline,)
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "email", "is_active", "is_superuser", "last_login")
    list_fullwidth = True


@admin.register(Group)
class GroupAdmin(OperatorsOnly, DjangoGroupAdmin, ModelAdmin):
    list_fullwidth = True
