"""What can be done to one row besides editing it: buttons above its form that POST, or lead to a form of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from config.api.problem import Conflict, Forbidden, problem_for
from practices.admin.forms import REFUSALS, RefusableMixin, with_value


class RowActionForm(RefusableMixin, forms.Form):
    """The questions of an action. `row` is what it is done to."""

    def __init__(self, *args: Any, row: models.Model, **kwargs: Any) -> None:
        self.row = row
        super().__init__(*args, **kwargs)

    @classmethod
    def initial_of(cls, request: HttpRequest) -> dict[str, Any]:
        """Answers that a link to the page gives already."""
        return {}

    def asks_again(self) -> bool:
        """Whether something has to be shown before the valid answers are acted upon."""
        return False


class ForeseenForm(RowActionForm):
    """Tells first what would happen. It happens when the form is sent again and would still do the same."""

    foreseen = forms.CharField(required=False, widget=forms.HiddenInput)
    told: Sequence[str] = ()

    def foresee(self) -> Sequence[str]:
        """What would happen, in sentences; raises what doing it would."""
        raise NotImplementedError

    def asks_again(self) -> bool:
        self.told = self.foresee()
        shown = sha256("\n".join(self.told).encode()).hexdigest()
        if self.cleaned_data.pop("foreseen") == shown:
            return False
        self.data = with_value(self.data, "foreseen", shown)
        return True


@dataclass(frozen=True, slots=True)
class RowAction:
    """`run(row, **answers)` does it; if it returns a row of the same kind, that one is shown. `variant` is a colour of
    unfold's buttons.
    """

    name: str
    label: str
    icon: str
    run: Callable[..., object]
    done: str
    variant: str = "default"
    form: type[RowActionForm] | None = None


class RowActionsMixin:
    """For a ModelAdmin. Services decide whether an action is allowed; what is offered only mirrors them."""

    change_form_outer_before_template = "admin/row_actions.html"

    def get_row_actions(self, request: HttpRequest, row: Any) -> Sequence[RowAction]:
        return ()

    def get_row_links(self, request: HttpRequest, row: Any) -> Sequence[tuple[str, str, str]]:
        """Label, icon and address of pages about the row."""
        return ()

    def get_urls(self) -> list[Any]:
        admin: Any = self
        view = admin.admin_site.admin_view(self.row_action_view)
        name = f"{admin.opts.app_label}_{admin.opts.model_name}_do"
        urls: list[Any] = super().get_urls()  # type: ignore[misc]  # ModelAdmin's
        return [path("<path:object_id>/do/<slug:name>/", view, name=name), *urls]

    def row_action_links(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        admin: Any = self
        route = f"admin:{admin.opts.app_label}_{admin.opts.model_name}_do"
        return [
            {
                "action": action,
                "asks": action.form is not None,
                "url": reverse(route, args=[quote(str(row.pk)), action.name]),
            }
            for action in self.get_row_actions(request, row)
        ]

    def row_action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponseBase:
        admin: Any = self
        if not admin.has_view_permission(request):
            raise PermissionDenied
        row = admin.get_object(request, unquote(object_id))
        if row is None or not admin.has_view_permission(request, row):
            raise Http404
        action = next((each for each in self.get_row_actions(request, row) if each.name == name), None)
        if action is None:
            return self._not_offered(request, row)
        if action.form is None and request.method != "POST":
            return redirect(self._url_of(row))
        return self._act(request, row, action)

    def _not_offered(self, request: HttpRequest, row: Any) -> HttpResponseBase:
        admin: Any = self
        if not admin.has_change_permission(request, row):
            raise PermissionDenied
        return self._refused(request, row, Conflict("This can't be done now; somebody may have been faster."))

    def _act(self, request: HttpRequest, row: Any, action: RowAction) -> HttpResponseBase:
        form = self._form(request, row, action)
        if form is not None and not (form.is_bound and form.is_valid()):
            return self._ask(request, row, action, form)
        try:
            if form is not None and form.asks_again():
                return self._ask(request, row, action, form)
            with transaction.atomic():
                made = action.run(row, **(form.cleaned_data if form else {}))
        except REFUSALS as refusal:
            if form is None:
                return self._refused(request, row, refusal)
            form.add_refusal(refusal)
            response = self._ask(request, row, action, form)
            response.status_code = status_of(refusal)
            return response
        messages.success(request, action.done)
        back = request.POST.get("back", "")
        return redirect(back if _is_ours(back) else self._url_of(made if isinstance(made, type(row)) else row))

    def _form(self, request: HttpRequest, row: Any, action: RowAction) -> RowActionForm | None:
        if action.form is None:
            return None
        posted = request.POST if request.method == "POST" else None
        return action.form(posted, row=row, initial=action.form.initial_of(request))

    def _ask(self, request: HttpRequest, row: Any, action: RowAction, form: RowActionForm) -> HttpResponse:
        admin: Any = self
        admin.record_read(request, [row])
        context = {
            **admin.admin_site.each_context(request),
            "title": action.label,
            "subtitle": str(row),
            "opts": admin.opts,
            "row": row,
            "description": admin.describe(row),
            "action": action,
            "form": form,
            "media": admin.media + form.media,
            "back": self._url_of(row),
        }
        return TemplateResponse(request, "admin/row_action.html", context)

    def _refused(self, request: HttpRequest, row: Any, refusal: BaseException) -> HttpResponseBase:
        """Back to the row with the reason; the middleware counts it as the refusal that it is."""
        problem = problem_for(refusal) or Conflict()
        if isinstance(problem, Forbidden):
            raise PermissionDenied(str(problem.detail))
        reasons = [error.detail for error in problem.errors] or [str(problem.detail)]
        messages.error(request, " ".join(reasons))
        response = redirect(self._url_of(row))
        response.refused_as = status_of(refusal)  # type: ignore[attr-defined]  # read by TenantMiddleware
        return response

    def _url_of(self, row: Any) -> str:
        admin: Any = self
        return reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_change", args=[quote(str(row.pk))])


def status_of(refusal: BaseException) -> int:
    problem = problem_for(refusal)
    return int(problem.status_code) if problem else 400


def _is_ours(url: str) -> bool:
    """Whether it is a path of the admin."""
    return url.startswith(settings.ADMIN_PATH) and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
