"""Pages that do something: GET asks (form, explanation), POST calls one service and says what came of it.

A room registers its own actions on its own pages with ``PageActionsMixin.page_actions``; an upper room adds
to a lower room's pages with ``add_action``. Errors that a person can act on (BssError) become messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.db.models.deletion import ProtectedError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.enums import ActionVariant

from apps.backoffice import tenancy
from apps.backoffice.bases import AdminBase
from apps.backoffice.forms import ActionForm, NoInput
from apps.kernel.errors import BssError, InvalidInputs

Outcome = str | HttpResponse


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class Once:
    """How a result that is shown once, after a change, is kept in the session until its page is fetched: sealed."""

    pack: Callable[[Any], str]
    unpack: Callable[[str], Any]


_SHOWN_ONCE = "backoffice_shown_once"


@dataclass(frozen=True)
class PageAction:
    """Something to do with a row (``on_list`` false) or from a list (true; ``obj`` is None then).

    ``run(request, obj, form)`` returns what to tell the person, or a whole response; ``explain(obj)`` is the
    sentence above the form; ``offered(obj)`` says whether the button makes sense for this row just now.
    ``permissions`` are all needed, as ``app.codename``.
    ``menu``: the name of a drop-down instead of a button of its own.
    """

    name: str
    title: str
    permissions: Sequence[str]
    run: Callable[..., Any]
    form: type[ActionForm] = NoInput
    icon: str = "play_arrow"
    explain: Callable[[Any], str] = field(default=lambda _: "")
    offered: Callable[[Any], bool] = field(default=_always)
    submit: str = ""
    menu: str = ""
    danger: bool = False
    primary: bool = False
    on_list: bool = False
    # A safe question (preview, price enquiry): its answer stays on the page, below the form.
    result_template: str = ""
    # A change whose result is shown once: after a redirect, so that reloading the page does not make another.
    once: Once | None = None
    # Where to go afterwards instead of the row's page.
    next_url: Callable[[Any], str] | None = None

    def allowed(self, request: HttpRequest) -> bool:
        return request.user.has_perms(tuple(self.permissions))


_added: dict[str, list[PageAction]] = defaultdict(list)


def add_action(model_label: str, action: PageAction) -> None:
    """Put an action on the pages of a lower room's model (``subscribers.subscriber``)."""
    known = [former.name for former in _added[model_label]]
    if action.name not in known:
        _added[model_label].append(action)


def tell(request: HttpRequest, error: BssError) -> None:
    """Show an error as messages, a line each."""
    lines = (
        [str(problem) for problem in error.problems[:20]]
        if isinstance(error, InvalidInputs)
        else [str(error)]
    )
    for line in lines:
        messages.error(request, line[:1].upper() + line[1:])


class PageActionsMixin(AdminBase):
    """Gives a ModelAdmin its action pages (``…/<id>/do/<name>/`` and ``…/do/<name>/``) and their buttons."""

    page_actions: Sequence[PageAction] = ()

    def all_page_actions(self) -> list[PageAction]:
        return [*self.page_actions, *_added[self.opts.label_lower]]

    def get_urls(self) -> list[Any]:
        info = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        return [
            path("do/<slug:action>/", wrap(self.list_action_view), name=f"{info}_do_list"),
            path("<path:object_id>/do/<slug:action>/", wrap(self.row_action_view), name=f"{info}_do"),
            *super().get_urls(),
        ]

    def action_url(self, name: str, obj: Model | None = None) -> str:
        info = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        return (
            reverse(f"{info}_do_list", args=(name,))
            if obj is None
            else reverse(f"{info}_do", args=(obj.pk, name))
        )

    def list_action_view(self, request: HttpRequest, action: str) -> HttpResponse:
        return self._act(request, self._find(request, action, on_list=True), None)

    def row_action_view(self, request: HttpRequest, object_id: str, action: str) -> HttpResponse:
        found = self._find(request, action, on_list=False)
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id}.")
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        return self._act(request, found, obj)

    def _find(self, request: HttpRequest, name: str, *, on_list: bool) -> PageAction:
        for action in self.all_page_actions():
            if action.name == name and action.on_list == on_list:
                if not self._may_act(request, action):
                    raise PermissionDenied
                return action
        raise Http404(f"There is no action “{name}”.")

    def _may_act(self, request: HttpRequest, action: PageAction) -> bool:
        # What all tenants share is looked at by the staff of some, and changed by the operator's.
        question = bool(action.result_template) and action.once is None
        allowed = tenancy.may_see if question else tenancy.may_change
        return action.allowed(request) and allowed(request, self.model)

    def _act(self, request: HttpRequest, action: PageAction, obj: Model | None) -> HttpResponse:
        back = self._back(action, obj)
        if obj is not None and not action.offered(obj):
            messages.warning(request, f"“{action.title}” does not apply to {obj} as it is now.")
            return HttpResponseRedirect(back)
        result = None
        if action.once is not None and request.method == "GET" and "shown" in request.GET:
            result = _shown_once(request, action.once)
            if result is None:
                messages.info(request, "This was shown once, and cannot be shown again.")
                return HttpResponseRedirect(back)
        if request.method == "POST":
            form = action.form(request.POST, request.FILES, obj=obj)
            tenancy.narrow(request, form.fields.values())
            if form.is_valid():
                try:
                    outcome = action.run(request, obj, form)
                except BssError as error:
                    tell(request, error)
                except ValidationError as error:
                    form.add_error(None, error)
                else:
                    if isinstance(outcome, HttpResponse):
                        return outcome
                    if action.once is not None:
                        request.session[_SHOWN_ONCE] = [request.path, action.once.pack(outcome)]
                        return HttpResponseRedirect(f"{request.path}?shown")
                    if action.result_template:
                        result = outcome
                    else:
                        messages.success(request, outcome)
                        return HttpResponseRedirect(back)
        else:
            form = action.form(obj=obj, initial=request.GET.dict() if result is None else {})
            tenancy.narrow(request, form.fields.values())
        context = {
            **self.admin_site.each_context(request),
            "title": f"{action.title}: {obj}" if obj is not None else action.title,
            "content_title": action.title,
            "opts": self.opts,
            "original": obj,
            "action": action,
            "explanation": action.explain(obj),
            "form": form,
            "result": result,
            "result_template": action.result_template,
            "submit_text": action.submit or action.title,
            "back": back,
            "media": self.media + form.media,
            "multipart": form.is_multipart(),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/backoffice/action.html", context)

    def _back(self, action: PageAction, obj: Model | None) -> str:
        if action.next_url is not None:
            return action.next_url(obj)
        info = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        return reverse(f"{info}_changelist") if obj is None else reverse(f"{info}_change", args=(obj.pk,))

    # --- Buttons ---

    def action_buttons(self, request: HttpRequest, obj: Model | None) -> list[dict[str, Any]]:
        """Buttons (and drop-downs) for unfold's title bar: what this person may do with this row now."""
        buttons: list[dict[str, Any]] = []
        menus: dict[str, dict[str, Any]] = {}
        for action in self.all_page_actions():
            if action.on_list != (obj is None) or not self._may_act(request, action):
                continue
            if obj is not None and not action.offered(obj):
                continue
            button = {
                "title": action.title,
                "icon": action.icon,
                "variant": _variant(action),
                "attrs": {},
                "dialog": None,
                "path": self.action_url(action.name, obj),
            }
            if not action.menu:
                buttons.append(button)
                continue
            if action.menu not in menus:
                menus[action.menu] = {
                    "title": action.menu,
                    "icon": "more_horiz",
                    "variant": ActionVariant.DEFAULT,
                    "items": [],
                    "method_name": f"Menu{len(menus)}",
                }
            menus[action.menu]["items"].append(button)
        return [*menus.values(), *buttons]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None and not add and not context.get("is_popup"):
            context["actions_detail"] = [
                *(context.get("actions_detail") or []),
                *self.action_buttons(request, obj),
            ]
        return super().render_change_form(request, context, add, change, form_url, obj)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data is not None:
            response.context_data["actions_list"] = [
                *(response.context_data.get("actions_list") or []),
                *self.action_buttons(request, None),
            ]
        return response


def _shown_once(request: HttpRequest, once: Once) -> Any:
    path, packed = request.session.pop(_SHOWN_ONCE, ("", ""))
    return once.unpack(packed) if path == request.path else None


def _variant(action: PageAction) -> ActionVariant:
    if action.danger:
        return ActionVariant.DANGER
    return ActionVariant.PRIMARY if action.primary else ActionVariant.DEFAULT


def protected_by(error: ProtectedError, limit: int = 5) -> str:
    """What holds a row that cannot be removed, as a sentence's end."""
    objects = list(error.protected_objects)
    names = ", ".join(str(item) for item in objects[:limit])
    return names + (f" and {len(objects) - limit} more" if len(objects) > limit else "")


__all__ = ["Once", "Outcome", "PageAction", "PageActionsMixin", "add_action", "forms", "protected_by", "tell"]
