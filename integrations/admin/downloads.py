"""Fetching a file from the store: the page leads to a link that is good for minutes, as the API gives it."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.cache import never_cache

from practices.admin.forms import REFUSALS


class DownloadMixin:
    """For a TenantAdmin. A link, not a button: what a form leads to has to be of this site."""

    def link_to(self, row: Any) -> str:
        """Where the file is; raises what the service does. Override it."""
        raise NotImplementedError

    def has_file(self, row: Any) -> bool:
        """Whether it is offered."""
        return True

    def get_urls(self) -> list[Any]:
        admin: Any = self
        view = admin.admin_site.admin_view(never_cache(self.download_view))
        urls: list[Any] = super().get_urls()  # type: ignore[misc]  # ModelAdmin's
        return [path("<path:object_id>/download/", view, name=self._route()), *urls]

    def get_row_links(self, request: HttpRequest, row: Any) -> Sequence[tuple[str, str, str]]:
        links: Sequence[tuple[str, str, str]] = super().get_row_links(request, row)  # type: ignore[misc]  # likewise
        if not self.has_file(row):
            return links
        return [("Download", "download", reverse(f"admin:{self._route()}", args=[quote(str(row.pk))])), *links]

    def download_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        admin: Any = self
        row = admin.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not admin.has_view_permission(request, row):
            raise PermissionDenied
        try:
            url = self.link_to(row)
        except REFUSALS as refusal:
            return admin._refused(request, row, refusal)
        self.record_download(request, row)
        return redirect(url)

    def record_download(self, request: HttpRequest, row: Any) -> None:
        """That somebody asked for the file."""
        admin: Any = self
        admin.record_read(request, [row])

    def _route(self) -> str:
        admin: Any = self
        return f"{admin.opts.app_label}_{admin.opts.model_name}_download"
