"""The page that an invitation's link opens in the admin. No login needed, no scope."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.db import IntegrityError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from accounts.admin_login import too_many_attempts
from accounts.admin_session import origin_of
from accounts.invitations import Acceptance, accept
from config.api.problem import Problem, problem_for
from practices.bound_secrets import digest

if TYPE_CHECKING:
    from accounts.admin_site import PracticeAdminSite

DONE = "You are a member of {practice} now. Log in to begin."


class AcceptForm(forms.Form):
    token = forms.CharField(
        label="Code",
        max_length=200,
        help_text="The link's end, after #. It is filled in when you came by the link.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    name = forms.CharField(
        label="Your name",
        max_length=200,
        required=False,
        help_text="Not needed if you have a login here already.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label="Password",
        max_length=1000,
        strip=False,
        help_text=format_html(
            "<p>The one you have, if this address has a login here already. Else a new one:</p>{}",
            password_validators_help_text_html(),
        ),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )


def accept_invitation(request: HttpRequest, site: "PracticeAdminSite") -> HttpResponseBase:
    """Only a POST uses the link up: mail programs and scanners open links by themselves."""
    form = AcceptForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and not _slow_down(request, form.cleaned_data["token"]):
        practice = _accepted(request, form)
        if practice is not None:
            messages.success(request, DONE.format(practice=practice))
            return redirect("admin:login")
    context = {**site.each_context(request), "form": form, "title": "Accept the invitation", "button": "Accept"}
    status = 400 if form.is_bound else 200
    return TemplateResponse(request, "admin/password_reset.html", context, status=status)


def _accepted(request: HttpRequest, form: AcceptForm) -> str | None:
    """The practice's name, or None with the refusal in the form."""
    try:
        membership = accept(Acceptance(**form.cleaned_data), origin=origin_of(request))
    except (Problem, IntegrityError) as refusal:
        problem = problem_for(refusal) or Problem()
        for error in problem.errors:
            form.add_error(error.pointer.strip("/"), error.detail)
        if not problem.errors:
            form.add_error(None, str(problem.detail))
        return None
    return str(membership.practice)


def _slow_down(request: HttpRequest, token: str) -> bool:
    wait = too_many_attempts(request, f"invitation:{digest(token)}")
    if wait:
        messages.error(request, f"Too many attempts. Wait {wait} seconds, then try again.")
    return bool(wait)
