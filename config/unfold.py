"""How the admin looks, and the order of its pages. Everything that depends on who asks is named as text: unfold
imports it when a page is made."""

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "accounts.admin_navigation.site_title",
    "SITE_HEADER": "accounts.admin_navigation.site_title",
    "SITE_SUBHEADER": "accounts.admin_navigation.site_subheader",
    "SITE_SYMBOL": "ecg_heart",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "accounts.admin_navigation.favicon"}],
    "SHOW_HISTORY": "accounts.admin_navigation.sees_history",
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "STYLES": ["accounts.admin_navigation.stylesheet"],
    "ACCOUNT": {"navigation": "accounts.admin_navigation.account_links"},
    "SIDEBAR": {"show_search": False, "navigation": "accounts.admin_navigation.sidebar"},
    "DASHBOARD_CALLBACK": "appointments.admin.home.dashboard",
    "COLORS": {
        "primary": {
            "50": "oklch(98.4% .014 180.72)",
            "100": "oklch(95.3% .051 180.801)",
            "200": "oklch(91% .096 180.426)",
            "300": "oklch(85.5% .138 181.071)",
            "400": "oklch(77.7% .152 181.912)",
            "500": "oklch(70.4% .14 182.503)",
            "600": "oklch(52.5% .105 184.704)",
            "700": "oklch(45.5% .09 186.391)",
            "800": "oklch(43.7% .078 188.216)",
            "900": "oklch(38.6% .063 188.416)",
            "950": "oklch(27.7% .046 192.524)",
        },
    },
}
