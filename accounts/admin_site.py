"""The admin of one practice at a time, or of the platform for its superusers."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from accounts import admin_password_reset
from accounts.admin_autocomplete import AutocompleteView
from accounts.admin_invitation import accept_invitation
from accounts.admin_login import LoginForm, NewPassword, log_in, too_many_attempts
from accounts.admin_login import choose as choose_practice
from accounts.admin_logins import logins_page
from accounts.admin_second_factor import PasswordStep, code_step, setting_up
from accounts.admin_session import explain_end
from accounts.models import User
from config.api.problem import Problem
from practices.middleware import SESSION_PRACTICE
from practices.models import Practice
from practices.tenancy import current_scope

View = Callable[..., HttpResponseBase]


class PracticeAdminSite(UnfoldAdminSite):
    login_form = LoginForm

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only pages of ours: those that other packages bring know neither practices nor roles."""
        if str(getattr(admin_class, "__module__", "")).partition(".")[0] in settings.OWN_APPS:
            super().register(model_or_iterable, admin_class, **options)

    # --- Who comes in ---------------------------------------------------------------------------

    def has_permission(self, request: HttpRequest) -> bool:
        """A living member of the chosen practice (the middleware asked), or a superuser who chose none."""
        if current_practice(request) is not None:
            return True
        scope, user = current_scope(), request.user
        on_platform = scope is not None and scope.practice_id is None and isinstance(user, User) and user.is_superuser
        return on_platform and SESSION_PRACTICE not in request.session

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Refusals are pages of the admin, too; who has not chosen a practice does so first."""

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                response = view(request, *args, **kwargs)
                return response.render() if isinstance(response, TemplateResponse) else response
            except Problem as problem:
                return self._refused(request, int(problem.status_code), str(problem.detail))
            except PermissionDenied as refusal:
                return self._refused(request, 403, str(refusal) or "Your role does not allow this.")
            except Http404:
                return self._refused(request, 404, "There is nothing here, or it is not yours to see.")
            except (SuspiciousOperation, ValidationError):
                return self._refused(request, 400, "This address makes no sense.")

        inner = super().admin_view(update_wrapper(guarded, view), cacheable)

        def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and not self.has_permission(request):
                return self._choose_first(request)
            return inner(request, *args, **kwargs)

        return update_wrapper(entered, inner)

    def _choose_first(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == reverse("admin:logout"):
            return self.logout(request)
        target = reverse("admin:practice")
        if request.method == "GET":
            target = f"{target}?{urlencode({'next': request.get_full_path()})}"
        return redirect(target)

    def _refused(self, request: HttpRequest, status: int, reason: str) -> HttpResponse:
        transaction.set_rollback(True)
        context = {**self.each_context(request), "title": _TITLES.get(status, "This was refused"), "reason": reason}
        return TemplateResponse(request, "admin/refused.html", context, status=status).render()

    # --- Ways in and out ------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        urls = [each for each in super().get_urls() if getattr(each, "name", "") != "view_on_site"]
        return [
            path("practice/", never_cache(self.choose), name="practice"),
            path("logins/", never_cache(self.logins), name="logins"),
            path("forgot-password/", never_cache(self.forgot_password), name="admin_password_reset"),  # unfold's name
            path("password-reset/", never_cache(self.password_reset), name="password_reset"),
            path("login/code/", never_cache(self.code), name="login_code"),
            path("second-factor/", self.admin_view(self.second_factor), name="second_factor"),
            path("invitation/", never_cache(self.invitation), name="invitation"),
            *urls,
        ]

    def choose(self, request: HttpRequest) -> HttpResponseBase:
        return choose_practice(request, self)

    def logins(self, request: HttpRequest) -> HttpResponseBase:
        return logins_page(request, self)

    def forgot_password(self, request: HttpRequest) -> HttpResponseBase:
        return admin_password_reset.ask(request, self)

    def password_reset(self, request: HttpRequest) -> HttpResponseBase:
        return admin_password_reset.choose(request, self)

    def invitation(self, request: HttpRequest) -> HttpResponseBase:
        return accept_invitation(request, self)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        if request.user.is_authenticated and request.method == "GET":
            return redirect("admin:index")
        if request.method == "POST" and (wait := too_many_attempts(request, request.POST.get("username", ""))):
            return self._slow_down(request, wait)
        explain_end(request)
        context = {
            **self.each_context(request),
            "title": "Log in",
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **(extra_context or {}),
        }
        page: dict[str, Any] = {"template_name": "admin/login.html", "authentication_form": LoginForm}
        response = PasswordStep.as_view(**page, extra_context=context)(request)
        if request.user.is_authenticated and isinstance(response, HttpResponseRedirect):
            return log_in(request, response)
        return response

    def code(self, request: HttpRequest) -> HttpResponseBase:
        return code_step(request, self)

    def second_factor(self, request: HttpRequest) -> HttpResponseBase:
        return setting_up(request, self)

    def _slow_down(self, request: HttpRequest, wait: int) -> HttpResponse:
        messages.error(request, f"Too many attempts to log in. Wait {wait} seconds, then try again.")
        context = {**self.each_context(request), "title": "Log in", "app_path": request.get_full_path()}
        form = LoginForm(request)
        response = TemplateResponse(request, "admin/login.html", {**context, "form": form}, status=429)
        response["Retry-After"] = str(wait)
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        if request.method == "POST" and (wait := too_many_attempts(request, request.user.get_username())):
            raise Problem(f"Too many attempts. Wait {wait} seconds, then try again.")
        return NewPassword.as_view(extra_context={**self.each_context(request), **(extra_context or {})})(request)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponseBase:
        return AutocompleteView.as_view(admin_site=self)(request)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Off: it keeps results by user and words, whatever practice or roles the user has in that moment."""
        raise Http404

    def get_log_entries(self, request: HttpRequest) -> Any:
        """Django's own log keeps names, of all practices together."""
        return LogEntry.objects.none()

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(
            request, {"title": "Today" if current_practice(request) else "Platform", **(extra_context or {})}
        )


_TITLES = {400: "Not understood", 403: "Not allowed", 404: "Not found", 409: "Not possible now"}


def current_practice(request: HttpRequest) -> Practice | None:
    """The practice that the page is about; None for the platform's."""
    membership = getattr(request, "membership", None)
    return membership.practice if membership else None
