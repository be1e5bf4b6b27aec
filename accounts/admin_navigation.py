"""What frames every page of the admin. Costs no query: roles are known, and nothing else is asked."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from accounts.admin_login import SEVERAL
from accounts.admin_site import current_practice
from accounts.roles import Role

Page = tuple[str, str, str] | tuple[str, str, str, str] | tuple[str, str, str, str, str]
"""Title, icon, model; and which of its pages with which query, where it isn't the whole list."""

PAGES: tuple[tuple[str, tuple[Page, ...]], ...] = (
    (
        "Front desk",
        (
            ("Appointments", "calendar_month", "appointments.Appointment"),
            ("Series", "event_repeat", "appointments.AppointmentSeries"),
            ("Waitlist", "hourglass_top", "appointments.WaitlistEntry"),
            ("Patients", "groups", "patients.Patient"),
            ("Documents", "folder_open", "patients.PatientDocument"),
            ("Possible duplicates", "join", "patients.DuplicateCandidate"),
            ("Messages", "forum", "integrations.Message"),
        ),
    ),
    (
        "Records",
        (
            ("Copies for patients", "folder_zip", "integrations.PatientExport"),
            ("Imports", "upload", "integrations.ImportJob"),
            ("Legal holds", "gavel", "patients.LegalHold"),
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
        (
            ("Audit log", "policy", "audit.AuditEvent"),
            ("Accesses per day", "bar_chart", "audit.AuditEvent", "accesses"),
            ("Unattributed changes", "report", "audit.AuditEvent", "changelist", "action__exact=unattributed"),
            ("Break-glass", "emergency", "patients.AccessGrant"),
        ),
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
    _mark_current(request, [item for group in groups for item in group["items"]])
    return groups


def _mark_current(request: HttpRequest, items: list[dict[str, Any]]) -> None:
    """Of the links that lead here or above, the one that says most."""

    def fit(item: dict[str, Any]) -> tuple[int, int]:
        link = urlsplit(item["link"])
        asked = parse_qsl(link.query)
        above = link.path == request.path or (item is not items[0] and request.path.startswith(link.path))
        return (len(link.path), len(asked)) if above and set(asked) <= set(request.GET.items()) else (0, 0)

    best = max(items, key=fit)
    for item in items:
        item["active"] = item is best and fit(item) != (0, 0)


def _item(
    request: HttpRequest, title: str, icon: str, label: str, page: str = "changelist", query: str = ""
) -> dict[str, Any] | None:
    model = apps.get_model(label)
    model_admin = admin.site._registry.get(model)
    if model_admin is None or not model_admin.has_view_or_change_permission(request):
        return None
    meta = model._meta
    link = reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}")
    return {"title": title, "icon": icon, "link": f"{link}?{query}" if query else link}


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
        {"title": "Your logins", "link": reverse("admin:logins")},
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
