"""What frames every page of the admin. Costs no query: roles are known, and nothing else is asked."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from accounts.admin_login import SEVERAL
from accounts.admin_site import current_practice
from accounts.roles import Role

Page = tuple[str, str, str]
"""Title, icon, model."""

PAGES: tuple[tuple[str, tuple[Page, ...]], ...] = (
    (
        "Front desk",
        (
            ("Appointments", "calendar_month", "appointments.Appointment"),
            ("Series", "event_repeat", "appointments.AppointmentSeries"),
            ("Waitlist", "hourglass_top", "appointments.WaitlistEntry"),
            ("Patients", "groups", "patients.Patient"),
            ("Messages", "forum", "integrations.Message"),
        ),
    ),
    (
        "Calendar",
        (
            ("Opening hours", "schedule", "appointments.AvailabilityRule"),
            ("Absences and extra hours", "event_busy", "appointments.AvailabilityException"),
            ("Closures", "door_front", "practices.Closure"),
        ),
    ),
    (
        "Team",
        (
            ("Members", "badge", "accounts.Membership"),
            ("Invitations", "mail", "accounts.Invitation"),
            ("Providers", "stethoscope", "accounts.ProviderProfile"),
        ),
    ),
    (
        "Settings",
        (
            ("Practice", "home_health", "practices.Practice"),
            ("Rules", "rule", "practices.PracticePolicy"),
            ("Locations", "location_on", "practices.Location"),
            ("Rooms and calendars", "meeting_room", "practices.Resource"),
            ("Visit types", "category", "appointments.AppointmentType"),
            ("Cancellation reasons", "event_repeat", "practices.CancellationReason"),
            ("Reminders", "notifications_active", "appointments.ReminderRule"),
            ("Message templates", "edit_note", "integrations.MessageTemplate"),
            ("API keys", "key", "accounts.ApiKey"),
        ),
    ),
    (
        "Oversight",
        (("Audit log", "policy", "audit.AuditEvent"), ("Break-glass", "emergency", "patients.AccessGrant")),
    ),
)
PLATFORM_PAGES: tuple[tuple[str, tuple[Page, ...]], ...] = (
    (
        "Platform",
        (
            ("Practices", "home_health", "practices.Practice"),
            ("Users", "group", "accounts.User"),
            ("Platform log", "policy", "audit.PlatformAuditEvent"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    home = {"title": "Home", "icon": "home", "link": reverse("admin:index")}
    groups: list[dict[str, Any]] = [{"items": [home]}]
    for title, pages in PAGES if current_practice(request) else PLATFORM_PAGES:
        items = [item for page in pages if (item := _item(request, *page))]
        if items:
            groups.append({"title": title, "separator": False, "items": items})
    return groups


def _item(request: HttpRequest, title: str, icon: str, label: str) -> dict[str, Any] | None:
    model = apps.get_model(label)
    model_admin = admin.site._registry.get(model)
    if model_admin is None or not model_admin.has_view_or_change_permission(request):
        return None
    meta = model._meta
    return {"title": title, "icon": icon, "link": reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")}


def site_title(request: HttpRequest) -> str:
    practice = current_practice(request)
    return practice.name if practice else "Practice administration"


def site_subheader(request: HttpRequest) -> str:
    membership = getattr(request, "membership", None)
    return ", ".join(Role(role).label for role in membership.roles) if membership else ""


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    links = [
        {"title": "Change password", "link": reverse("admin:password_change")},
        {"title": "Second factor", "link": reverse("admin:second_factor")},
    ]
    if request.session.get(SEVERAL):
        links.insert(0, {"title": "Switch practice", "link": reverse("admin:practice")})
    return links


def sees_history(request: HttpRequest) -> bool:
    return request.user.has_perm("audit.view_auditevent") or request.user.has_perm("audit.view_platformauditevent")


def stylesheet(request: HttpRequest) -> str:
    return static("accounts/admin.css")


def favicon(request: HttpRequest) -> str:
    return static("accounts/favicon.svg")
