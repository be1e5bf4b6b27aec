"""The second factor in the admin: asked for after the password, and the page to set it up."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import segno
from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.crypto import constant_time_compare
from django.utils.safestring import mark_safe
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from accounts import admin_session, enrolment, second_factor
from accounts.admin_login import log_in, too_many_attempts
from accounts.admin_session import PROVEN, origin_of
from accounts.models import Membership, User
from accounts.receivers import announce_failure
from practices.tenancy import identity_scope

if TYPE_CHECKING:
    from accounts.admin_site import PracticeAdminSite

WAITING = "password_was_right"
WAITING_SECONDS = 300
WRONG_CODE = "The code is wrong, too old, or was used before."
WRONG_PASSWORD = "This is not your password."  # noqa: S105  # words for people
PAGE = f"{settings.ADMIN_PATH}second-factor/"
OPEN_WITHOUT = (PAGE, f"{settings.ADMIN_PATH}logout/")
"""All that somebody sees who must set up a second factor and has none."""


class CodeForm(forms.Form):
    otp = forms.CharField(
        label="Code",
        max_length=64,
        help_text="Of your authenticator app, or one of your recovery codes.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )


class FirstCodeForm(CodeForm):
    """No recovery code is known yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["otp"].help_text = "Six digits, a new one every 30 seconds."


class PasswordForm(forms.Form):
    password = forms.CharField(
        label="Your password",
        strip=False,
        max_length=1000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


class PasswordAndCodeForm(PasswordForm, CodeForm):
    field_order = ("password", "otp")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["otp"].widget.attrs.pop("autofocus")


# --- Logging in -------------------------------------------------------------------------------------


class PasswordStep(LoginView):
    """Who has a second factor is logged in only once they have shown it."""

    def form_valid(self, form: Any) -> HttpResponse:
        user: User = form.get_user()
        with identity_scope(user.pk, request_id=origin_of(self.request).request_id):
            asked = second_factor.device_of(user) is not None
        if not asked:
            return super().form_valid(form)
        self.request.session[WAITING] = {
            "user": str(user.pk),
            "hash": user.get_session_auth_hash(),
            "at": int(time.time()),
            "next": self.get_success_url(),
        }
        return redirect("admin:login_code")


def code_step(request: HttpRequest, site: "PracticeAdminSite") -> HttpResponseBase:
    """The page after the password. It runs outside any scope, as that one does."""
    user = _waiting(request)
    if user is None:
        return redirect("admin:login")
    form, status = CodeForm(request.POST or None), 200
    if request.method == "POST":
        status = _refused(request, user, form)
        if status == 200:
            target = request.session.pop(WAITING)["next"]
            login(request, user)
            request.session[PROVEN] = True
            return log_in(request, redirect(target))
    context = {**site.each_context(request), "title": "One more step", "form": form}
    return TemplateResponse(request, "admin/login_code.html", context, status=status)


def _waiting(request: HttpRequest) -> User | None:
    """Whose password was right a moment ago, in this browser, and has not changed since."""
    waiting = request.session.get(WAITING) or {}
    if time.time() - waiting.get("at", 0) > WAITING_SECONDS:
        return None
    user = User.objects.filter(pk=waiting["user"], is_active=True).first()
    return user if user and constant_time_compare(waiting["hash"], user.get_session_auth_hash()) else None


def _refused(request: HttpRequest, user: User, form: CodeForm) -> int:
    """200 once the code was right, and is used up; else the status to show the form with."""
    if wait := too_many_attempts(request, user.email):
        form.add_error(None, f"Too many attempts. Wait {wait} seconds, then try again.")
        return 429
    if not form.is_valid():
        return 400
    origin = origin_of(request)
    try:
        with identity_scope(user.pk, request_id=origin.request_id, ip=origin.ip):
            second_factor.use_code(user, form.cleaned_data["otp"])
    except (second_factor.WrongCode, second_factor.NotEnrolled):
        announce_failure(request, user.email, reason="invalid_otp")
        form.add_error("otp", WRONG_CODE)
        return 401
    return 200


# --- Setting it up ----------------------------------------------------------------------------------


def must_enrol(request: HttpRequest, user: User, membership: Membership | None) -> bool:
    """Superusers always, members where their practice says so for one of their roles."""
    if request.session.get(PROVEN):
        return False
    return user.is_superuser or bool(membership and membership.needs_second_factor)  # type: ignore[attr-defined]  # annotated


def setting_up(request: HttpRequest, site: "PracticeAdminSite") -> HttpResponseBase:
    """One page: begin, show a first code, renew recovery codes, remove. Each step is a POST of `step`."""
    user = User.objects.get(pk=cast(User, request.user).pk)
    page: dict[str, Any] = {"status": 200}
    if request.method == "POST":
        step = _STEPS.get(request.POST.get("step", ""), _nothing)
        wait = too_many_attempts(request, user.email)
        page |= {"problem": f"Too many attempts. Wait {wait} seconds.", "status": 429} if wait else step(request, user)
    state = second_factor.status_of(user)
    forms_: dict[str, Any] = {
        "begin": PasswordForm(),
        "confirm": FirstCodeForm(),
        "change": PasswordAndCodeForm(),
    }
    context = {**site.each_context(request), "title": "Second factor", "state": state, **forms_, **page}
    context["required"] = must_enrol(request, user, getattr(request, "membership", None))
    return TemplateResponse(request, "admin/second_factor.html", context, status=page["status"])


def _begin(request: HttpRequest, user: User) -> dict[str, Any]:
    form = PasswordForm(request.POST)
    if not _password_right(form, user):
        return {"begin": form, "status": 403}
    return _shown(enrolment.start_enrolment(by=user))


def _confirm(request: HttpRequest, user: User) -> dict[str, Any]:
    form = FirstCodeForm(request.POST)
    try:
        enrolled = enrolment.confirm_enrolment(by=user, code=form.cleaned_data["otp"]) if form.is_valid() else None
    except second_factor.WrongCode:
        form.add_error("otp", WRONG_CODE)
        enrolled = None
    if enrolled is None:
        return {**_shown(enrolment.begun(by=user)), "confirm": form, "status": 403}
    _goes_on(request, user, proven=True)
    return {"recovery_codes": enrolled.recovery_codes}


def _renew(request: HttpRequest, user: User) -> dict[str, Any]:
    form = PasswordAndCodeForm(request.POST)
    if not _both_right(form, user):
        return {"change": form, "status": 403}
    return {"recovery_codes": enrolment.renew_recovery_codes(by=user)}


def _remove(request: HttpRequest, user: User) -> dict[str, Any]:
    form = PasswordAndCodeForm(request.POST)
    if not _both_right(form, user):
        return {"change": form, "status": 403}
    enrolment.remove(by=user)
    _goes_on(request, user, proven=False)
    return {}


def _nothing(request: HttpRequest, user: User) -> dict[str, Any]:
    return {"status": 400}


_STEPS: dict[str, Callable[[HttpRequest, User], dict[str, Any]]] = {
    "begin": _begin,
    "confirm": _confirm,
    "renew": _renew,
    "remove": _remove,
}


def _password_right(form: PasswordForm, user: User) -> bool:
    if not form.is_valid():
        return False
    if not user.check_password(form.cleaned_data["password"]):
        form.add_error("password", WRONG_PASSWORD)
    return not form.errors


def _both_right(form: PasswordAndCodeForm, user: User) -> bool:
    if not _password_right(form, user):
        return False
    try:
        second_factor.use_code(user, form.cleaned_data["otp"])
    except second_factor.WrongCode:
        form.add_error("otp", WRONG_CODE)
    return not form.errors


def _goes_on(request: HttpRequest, user: User, *, proven: bool) -> None:
    request.session[PROVEN] = proven
    admin_session.goes_on(request, user)


def _shown(begun: enrolment.Enrolment) -> dict[str, Any]:
    qr = segno.make(begun.provisioning_uri, error="m").svg_inline(scale=5, border=2, light="white")
    return {"secret": begun.secret, "qr": mark_safe(qr)}  # noqa: S308  # drawn by segno: paths and numbers only
