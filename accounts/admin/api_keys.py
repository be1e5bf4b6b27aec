from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from accounts import api_keys
from accounts.models import ApiKey
from practices.admin.badges import badge
from practices.admin.base import ReadOnlyAdmin
from practices.admin.row_actions import RowAction
from practices.tenancy import current_actor


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """What programs log in with. Keys are made over the API, by whoever will use them."""

    list_display = ("name", "prefix", "show_maker", "show_status", "expires_at", "last_used_at")
    list_select_related = ("member__user",)
    search_fields = ("name", "prefix")
    sortable_by = ("name", "expires_at", "last_used_at")
    fields = (("name", "prefix"), ("show_status", "show_maker"), "show_scopes", ("expires_at", "last_used_at"))
    readonly_fields = ("show_status", "show_maker", "show_scopes")

    @admin.display(description="Made by")
    def show_maker(self, row: ApiKey) -> str:
        return str(row.member.user)

    @admin.display(description="Scopes")
    def show_scopes(self, row: ApiKey) -> str:
        return ", ".join(row.scopes)

    @admin.display(description="Status")
    def show_status(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return badge("Revoked", "danger")
        return badge("Expired", "warning") if row.expires_at <= timezone.now() else badge("Active", "success")

    def get_row_actions(self, request: HttpRequest, row: ApiKey) -> Sequence[RowAction]:
        if row.revoked_at is not None or not request.user.has_perm("accounts.delete_apikey"):
            return ()
        return (RowAction("revoke", "Revoke", "key_off", _revoke, "The key is refused from now on.", "danger"),)


def _revoke(row: ApiKey) -> None:
    api_keys.revoke_key(key=row.pk, by=current_actor())
