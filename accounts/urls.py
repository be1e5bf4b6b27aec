from django.urls import include, path

from accounts.views.api_keys import ApiKeyViewSet
from accounts.views.invitations import AcceptInvitationView, InvitationViewSet
from accounts.views.me import LogoutAllView, MeView, PasswordChangeView, SessionViewSet
from accounts.views.members import MemberViewSet, ProviderViewSet
from accounts.views.password_reset import PasswordResetConfirmView, PasswordResetView
from accounts.views.second_factor import RecoveryCodesView, SecondFactorView, TotpConfirmView, TotpView
from accounts.views.tokens import LogoutView, SwitchPracticeView, TokenView
from config.api.routers import Router

router = Router()
router.register("auth/sessions", SessionViewSet, basename="auth-sessions")
router.register("members", MemberViewSet)
router.register("api-keys", ApiKeyViewSet)
router.register("invitations", InvitationViewSet)
router.register("providers", ProviderViewSet)

urlpatterns = [
    path("auth/token", TokenView.as_view(), name="auth-token"),
    path("auth/logout", LogoutView.as_view(), name="auth-logout"),
    path("auth/logout-all", LogoutAllView.as_view(), name="auth-logout-all"),
    path("auth/me", MeView.as_view(), name="auth-me"),
    path("auth/password/change", PasswordChangeView.as_view(), name="auth-password-change"),
    path("auth/password/reset", PasswordResetView.as_view(), name="auth-password-reset"),
    path("auth/password/reset/confirm", PasswordResetConfirmView.as_view(), name="auth-password-reset-confirm"),
    path("auth/mfa", SecondFactorView.as_view(), name="auth-mfa"),
    path("auth/mfa/totp", TotpView.as_view(), name="auth-mfa-totp"),
    path("auth/mfa/totp/confirm", TotpConfirmView.as_view(), name="auth-mfa-totp-confirm"),
    path("auth/mfa/recovery-codes", RecoveryCodesView.as_view(), name="auth-mfa-recovery-codes"),
    path("auth/switch-practice", SwitchPracticeView.as_view(), name="auth-switch-practice"),
    path("auth/invitations/accept", AcceptInvitationView.as_view(), name="auth-invitations-accept"),
    path("", include(router.urls)),
]
