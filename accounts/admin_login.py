"""Logging in to the admin, and choosing the practice to work in. These paths run outside any scope."""

from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.forms import AdminOwnPasswordChangeForm, AuthenticationForm

from accounts import admin_session, signals
from accounts.admin_session import PROVEN, origin_of
from accounts.models import Membership, User
from accounts.sessions import practices_open_to, replace_password
from config.api import throttling
from config.api.devices import device_token, remember
from practices.middleware import SESSION_PRACTICE, operation_of
from practices.tenancy import Actor, platform_scope, practice_scope

if TYPE_CHECKING:
    from accounts.admin_site import PracticeAdminSite

SEVERAL = "has_several_practices"


class LoginForm(AuthenticationForm):
    """Says no more than that it was wrong."""

    error_messages = {
        "invalid_login": "The email address or the password is wrong.",
        "inactive": "The email address or the password is wrong.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Email address"
        self.fields["username"].widget.attrs |= {"autocomplete": "username", "inputmode": "email"}


class AdminPasswordForm(AdminOwnPasswordChangeForm):
    """Ends the user's other sessions, of the API too."""

    def save(self, commit: bool = True) -> User:
        user: User = self.user
        replace_password(by=user, password=self.cleaned_data["new_password1"])
        return user


class NewPassword(PasswordChangeView):
    form_class = AdminPasswordForm
    success_url = reverse_lazy("admin:password_change_done")

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        admin_session.goes_on(self.request, form.user)
        return response


def too_many_attempts(request: HttpRequest, account: str) -> int:
    """Counts an attempt as the token endpoint does; seconds to wait when there were too many, else 0."""
    usages = throttling.consume(request, throttling.auth_limits(request, account))
    return next((max(1, usage.reset) for usage in usages if usage.exceeded), 0)


def log_in(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """After the password was right: into the only practice, or the platform, or to the choice."""
    user = cast(User, request.user)
    open_to = practices_open_to(user, origin_of(request))
    request.session[SEVERAL] = len(open_to) + user.is_superuser > 1
    if user.is_superuser:
        enter_platform(request)
    elif len(open_to) == 1:
        enter(request, open_to[0])
    remember(response, user.email, device_token(request, user.email))
    return response


def choose(request: HttpRequest, site: "PracticeAdminSite") -> HttpResponseBase:
    """GET lists the user's practices, POST enters one of them."""
    if not request.user.is_authenticated:
        return redirect("admin:login")
    user = request.user
    if user.is_superuser and not request.session.get(PROVEN):
        return redirect("admin:second_factor")
    memberships = practices_open_to(user, origin_of(request))
    status = 200
    if request.method == "POST":
        chosen = request.POST.get("practice", "")
        membership = next((each for each in memberships if str(each.practice_id) == chosen), None)
        if membership is not None:
            _announce(request, user, membership)
            enter(request, membership)
            return redirect(_next(request))
        if chosen == "platform" and user.is_superuser:
            _announce(request, user, None)
            enter_platform(request)
            return redirect("admin:index")
        messages.error(request, "You are not an active member of that practice.")
        status = 403
    context = {
        **site.each_context(request),
        "title": "Choose a practice",
        "memberships": memberships,
        "present": request.session.get(SESSION_PRACTICE),
        "next": _next(request),
    }
    return TemplateResponse(request, "admin/choose_practice.html", context, status=status)


def enter(request: HttpRequest, membership: Membership) -> None:
    """The session works in this practice from now on, under a new key."""
    admin_session.enter(request, membership, cast(User, request.user))
    request.session.cycle_key()


def enter_platform(request: HttpRequest) -> None:
    admin_session.leave(request)
    request.session.cycle_key()


def _announce(request: HttpRequest, user: User, membership: Membership | None) -> None:
    """Choosing is as good as logging in there."""
    origin = origin_of(request)
    roles = tuple(membership.roles) if membership else ()
    actor = Actor.user(user.pk, roles, str(user))
    known: dict[str, Any] = {"actor": actor, "request_id": origin.request_id, "ip": origin.ip}
    with practice_scope(membership.practice, **known) if membership else platform_scope(**known) as scope:
        scope.operation = operation_of(request)
        signals.logged_in.send(Membership, session=None, user=user, roles=roles)


def _next(request: HttpRequest) -> str:
    """Where to go afterwards: a path of ours, else the home page."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(url, allowed_hosts=None) and url.startswith(settings.ADMIN_PATH)
    return url if ours else settings.ADMIN_PATH
