"""A provider's way into a restricted chart, by its number or from a visit, with a reason and the password."""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from accounts.admin_login import too_many_attempts
from accounts.models import User
from accounts.roles import Access, Area, allowed
from config.api.problem import Problem
from patients.lookup import of_mrn
from patients.models import Patient
from patients.services import access_grants
from practices.tenancy import current_actor

DONE = "The chart is open to you for an hour. The owners were told."


class BreakGlassForm(forms.Form):
    """`patient` is the id that a visit's page gave; else the number names the chart."""

    patient = forms.UUIDField(required=False, widget=forms.HiddenInput)
    mrn = forms.CharField(label="MRN", required=False, max_length=32, widget=UnfoldAdminTextInputWidget)
    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget)
    password = forms.CharField(
        label="Your password",
        max_length=1000,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )

    def chart(self) -> Patient | None:
        if named := self.cleaned_data["patient"]:
            return cast("Patient | None", Patient.objects.filter(pk=named).first())
        return of_mrn(Patient.objects.all(), self.cleaned_data["mrn"])


def may() -> bool:
    return allowed(current_actor().roles, Area.BREAK_GLASS, Access.WRITE)


def view(request: HttpRequest, site: Any) -> HttpResponseBase:
    if not may():
        raise PermissionDenied
    if request.method != "POST":
        return _page(request, site, BreakGlassForm(initial=_named(request)), status=200)
    form = BreakGlassForm(request.POST)
    user = cast("User", request.user)
    if wait := too_many_attempts(request, user.email):
        form.add_error(None, f"Too many attempts. Wait {wait} seconds, then try again.")
        return _page(request, site, form, status=429)
    if not form.is_valid():
        return _page(request, site, form, status=400)
    return _let_in(request, site, form, user)


def _let_in(request: HttpRequest, site: Any, form: BreakGlassForm, user: User) -> HttpResponseBase:
    """The password first: who doesn't know it learns of no chart."""
    if not user.check_password(form.cleaned_data["password"]):
        form.add_error("password", "This is not your password.")
        return _page(request, site, form, status=403)
    patient = form.chart()
    if patient is None:
        form.add_error(None, "No chart has this number.")
        return _page(request, site, form, status=404)
    try:
        access_grants.break_glass(patient=patient, reason=form.cleaned_data["reason"], by=current_actor())
    except Problem as refusal:
        form.add_error(None, str(refusal.detail))
        return _page(request, site, form, status=refusal.status_code)
    messages.warning(request, DONE)
    return redirect("admin:patients_patient_change", patient.pk)


def _named(request: HttpRequest) -> dict[str, Any]:
    try:
        return {"patient": UUID(request.GET.get("patient", ""))}
    except ValueError:
        return {}


def _page(request: HttpRequest, site: Any, form: BreakGlassForm, *, status: int) -> TemplateResponse:
    if form["patient"].value():
        del form.fields["mrn"]
    context = {**site.each_context(request), "title": "Open a restricted chart", "form": form}
    return TemplateResponse(request, "admin/break_glass.html", context, status=status)
