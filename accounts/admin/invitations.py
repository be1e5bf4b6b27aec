from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts import invitations
from accounts.models import Invitation
from accounts.roles import Role
from practices.admin.badges import badge
from practices.admin.base import TenantAdmin
from practices.admin.forms import TenantForm
from practices.admin.row_actions import RowAction
from practices.tenancy import current_actor

STATUS_COLOURS = {"pending": "info", "accepted": "success", "revoked": "danger", "expired": "warning"}


class InvitationForm(TenantForm):
    roles = forms.MultipleChoiceField(choices=Role.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = Invitation
        fields = ("email", "roles")


@admin.register(Invitation)
class InvitationAdmin(TenantAdmin):
    """Who was asked to work here. The mail's link is good once, for the address it was sent to."""

    form = InvitationForm
    list_display = ("email", "show_roles", "show_status", "expires_at", "sent_at")
    list_select_related = ("invited_by",)
    search_fields = ("email",)
    sortable_by = ("email", "expires_at")

    def get_fields(self, request: HttpRequest, obj: Invitation | None = None) -> Any:
        if obj is None:
            return ("email", "roles")
        return (("email", "show_roles"), ("show_status", "invited_by"), ("expires_at", "sent_at", "accepted_at"))

    def get_readonly_fields(self, request: HttpRequest, obj: Invitation | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("email", "roles", "show_roles", "show_status", "invited_by", "expires_at", "sent_at", "accepted_at")

    @admin.display(description="Roles")
    def show_roles(self, row: Invitation) -> str:
        return ", ".join(str(Role(role).label) for role in row.roles)

    @admin.display(description="Status")
    def show_status(self, row: Invitation) -> str:
        return badge(Invitation.Status(row.status).label, STATUS_COLOURS[row.status])

    def get_row_actions(self, request: HttpRequest, row: Invitation) -> Sequence[RowAction]:
        if not self.has_change_permission(request, row) or row.accepted_at or row.revoked_at:
            return ()
        return (
            RowAction("resend", "Send again", "forward_to_inbox", _resend, "A new link is on its way."),
            RowAction("revoke", "Revoke", "cancel", _revoke, "The link is dead.", "danger"),
        )

    def store(self, request: HttpRequest, obj: Invitation, form: Any, *, change: bool) -> None:
        obj.pk = invitations.invite(by=current_actor(), **form.answers()).pk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _resend(row: Invitation) -> None:
    invitations.resend(invitation=row.pk, by=current_actor())


def _revoke(row: Invitation) -> None:
    invitations.revoke(invitation=row.pk, by=current_actor())
