"""What every page about a practice's rows has in common. Rows of other practices never reach it: the managers' work."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.views import ChangeList

from practices.admin.deletion import Deletion, what_goes_along
from practices.admin.forms import REFUSALS, TenantForm
from practices.admin.paginator import BoundedPaginator
from practices.admin.row_actions import RowActionsMixin, status_of
from practices.tenancy import current_scope


class BoundedChangeList(ChangeList):
    """Says "n results" only of a list that was searched or filtered, and was counted to its end."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        narrowed = bool(self.query or self.has_active_filters)
        if not narrowed or self.paginator.is_cut:
            self.full_result_count = self.result_count


class TenantAdmin(RowActionsMixin, ModelAdmin):
    """Permissions come from `User.has_perm`, which asks the role table. Changes are saved by the app's services:
    override `store` where there is one. What a service refuses is shown in the form.
    """

    form = TenantForm
    actions = None
    paginator = BoundedPaginator
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_filter_submit = False
    warn_unsaved_form = True
    change_form_before_template = "admin/seen_version.html"
    link_filters: Sequence[str] = ()
    """Fields that links of ours filter a list by, beside those of `list_filter`."""

    # --- Reading --------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def record_read(self, request: HttpRequest, rows: Iterable[Any]) -> None:
        """Called with the rows that a page or an autocomplete shows; override it to note who saw what."""

    def describe(self, row: Any) -> str:
        """One line that says which row this is, for autocompletes and confirmations."""
        return str(row)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locked when it is about to be written, so that what the form saw is compared with what is changed.

        Raises PermissionDenied before it looks for who may see none of them.
        """
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        rows: QuerySet[Any] = self.get_queryset(request)
        if request.method == "POST" and self.has_change_permission(request):
            rows = rows.select_for_update(of=("self",), no_key=True)
        try:
            return rows.get(pk=self.model._meta.pk.to_python(object_id))
        except (self.model.DoesNotExist, ValidationError, ValueError):
            return None

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only what the page's own filters and links ask: a URL is no query language."""
        filters = self.get_list_filter(request) if request is not None else self.list_filter
        names = [getattr(each, "parameter_name", each) for each in filters]
        wanted = {name for name in names if isinstance(name, str)} | set(self.link_filters)
        return any(lookup == name or lookup.startswith(f"{name}__") for name in wanted)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        shown = (getattr(response, "context_data", None) or {}).get("cl")
        if shown is not None:
            rows = list(shown.result_list)
            self.prepare(rows)
            self.record_read(request, rows)
        return response

    def prepare(self, rows: Sequence[Any]) -> None:
        """Called with a list's rows before they are shown, to fetch for all what would cost a query each."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """The row's events in the audit log."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        log = "auditevent" if _in_practice() else "platformauditevent"
        if not self.has_view_or_change_permission(request, row) or not request.user.has_perm(f"audit.view_{log}"):
            raise PermissionDenied
        return redirect(f"{reverse(f'admin:audit_{log}_changelist')}?entity_id__exact={row.pk}")

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponseBase:
        raise Http404

    # --- Writing --------------------------------------------------------------------------------

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A link may name the row that the new one is for (`?patient=`), and nothing else."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        return {name: value for name, value in initial.items() if self._is_id_for(name, value)}

    def _is_id_for(self, name: str, value: Any) -> bool:
        try:
            field = self.opts.get_field(name)
            return isinstance(field, models.ForeignKey) and bool(field.related_model._meta.pk.to_python(value))
        except (FieldDoesNotExist, ValidationError):
            return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.refusal = getattr(request, "form_refusal", None)
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A refusal while saving has undone everything; the form is then shown again, with it and all entries."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except REFUSALS as refusal:
            request.form_refusal = refusal  # type: ignore[attr-defined]  # read by get_form
            response = super().changeform_view(request, object_id, form_url, extra_context)
            response.status_code = status_of(refusal)
            return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saving without having changed anything is no edit."""
        if not change or form.changes():
            self.store(request, obj, form, change=change)

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool) -> None:
        """Override it to call a service."""
        obj.save()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None:
            self.record_read(request, [row])
            context["row_actions"] = self.row_action_links(request, row)
            context["row_links"] = self.get_row_links(request, row)
            context["show_save_and_add_another"] = False
        return super().render_change_form(request, context, *args, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Deletion:
        rows = list(objs)
        self.record_read(request, rows)
        return what_goes_along(rows, self.admin_site.name)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        try:
            return super().delete_view(request, object_id, extra_context)
        except REFUSALS as refusal:
            return self._refused(request, self.get_object(request, unquote(object_id)), refusal)

    # --- Django's own log would keep names, and for all practices together -------------------------

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        return []

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None: ...

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None: ...

    def log_deletion(self, request: HttpRequest, obj: Any, object_repr: str) -> None: ...

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None: ...


class ReadOnlyAdmin(TenantAdmin):
    """For rows that are written by what happens."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TenantInline(TabularInline):
    """Rows that belong to the one being edited."""

    extra = 0
    hide_title = True
    show_change_link = False
    form = TenantForm


class ReadOnlyInline(TenantInline):
    can_delete = False
    max_num = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _in_practice() -> bool:
    scope = current_scope()
    return scope is not None and scope.practice_id is not None
