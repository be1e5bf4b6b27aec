"""The admin's pages for a forgotten password: asking for a link, and the page the link opens. No login, no scope."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from accounts.admin_login import too_many_attempts
from accounts.admin_session import origin_of
from accounts.password_reset import WrongLink, request_reset, reset_password

if TYPE_CHECKING:
    from accounts.admin_site import PracticeAdminSite

ASKED = "If somebody has this address, a link is on its way to it. It works once, within 30 minutes."
DONE = "Your new password is set, and your other logins were ended. Log in with it."


class AskForm(forms.Form):
    email = forms.EmailField(
        label="Email address",
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "username", "autofocus": ""}),
    )


class ChooseForm(forms.Form):
    token = forms.CharField(
        label="Code",
        max_length=200,
        help_text="The link's end, after #. It is filled in when you came by the link.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    new_password = forms.CharField(
        label="New password",
        max_length=1000,
        strip=False,
        help_text=password_validators_help_text_html,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )


def ask(request: HttpRequest, site: "PracticeAdminSite") -> HttpResponseBase:
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and not _slow_down(request, form.cleaned_data["email"]):
        request_reset(email=form.cleaned_data["email"])
        messages.info(request, ASKED)
        return redirect("admin:login")
    return _page(request, site, form, title="Forgotten your password?", button="Send me a link")


def choose(request: HttpRequest, site: "PracticeAdminSite") -> HttpResponseBase:
    """Only a POST uses the link up: mail programs and scanners open links by themselves."""
    form = ChooseForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and not _slow_down(request, "") and _chosen(request, form):
        messages.success(request, DONE)
        return redirect("admin:login")
    return _page(request, site, form, title="Choose a new password", button="Set the password")


def _chosen(request: HttpRequest, form: ChooseForm) -> bool:
    answers = form.cleaned_data
    try:
        reset_password(token=answers["token"], password=answers["new_password"], origin=origin_of(request))
    except WrongLink:
        form.add_error(None, "This link was used, or is too old. Ask for another.")
    except ValidationError as exc:
        form.add_error("new_password", exc)
    return form.is_valid()


def _slow_down(request: HttpRequest, account: str) -> bool:
    wait = too_many_attempts(request, account)
    if wait:
        messages.error(request, f"Too many attempts. Wait {wait} seconds, then try again.")
    return bool(wait)


def _page(request: HttpRequest, site: "PracticeAdminSite", form: forms.Form, **context: Any) -> TemplateResponse:
    status = 400 if form.is_bound else 200
    return TemplateResponse(
        request, "admin/password_reset.html", {**site.each_context(request), "form": form, **context}, status=status
    )
