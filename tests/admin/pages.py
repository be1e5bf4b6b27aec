"""Clients that are logged in to the admin, its pages by introspection, and forms as a browser would send them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from accounts.admin_session import LOGIN, PROVEN
from accounts.models import User
from practices.middleware import SESSION_PRACTICE
from practices.models import Practice
from tests.clients import client_for, session_for

ALL_ROLES = ["owner", "admin", "provider", "assistant", "front_desk", "biller", "auditor"]


class AdminClient(Client):
    user: User


def admin_client(user: User, practice: Practice | None) -> AdminClient:
    """Logged in, with this practice chosen; with none chosen for None."""
    client = AdminClient()
    client.force_login(user)
    client.user = user
    session = client.session
    session[PROVEN] = user.is_superuser  # who could see nothing otherwise
    if practice is not None:
        session[SESSION_PRACTICE] = str(practice.pk)
        session[LOGIN] = str(session_for(user, practice, kind="admin").pk)
    session.save()
    return client


def staff(role: str | list[str], practice: Practice) -> AdminClient:
    """A new member of the practice with these roles, at work."""
    return admin_client(client_for(role, practice).user, practice)


def registered() -> dict[Any, Any]:
    return dict(admin.site._registry)


def routes(patterns: Any = None) -> Iterator[URLPattern]:
    """Every page of the site."""
    for each in admin.site.urls[0] if patterns is None else patterns:
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns)
        elif each.name:
            yield each


def route(model: Any, page: str) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(route(model, page), args=args)


def seen(response: Any, *secrets: Any) -> tuple[int, str]:
    """What an answer says, without what differs each time and without the ids that were asked for."""
    text = response.content.decode()
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)
    for secret in secrets:
        for form in (str(secret), str(secret).replace("-", "")):
            text = text.replace(form, "ID")
    location = response.headers.get("Location", "")
    return response.status_code, text + location


def filled(response: Any, **changes: Any) -> dict[str, Any]:
    """The form of a page as the browser would send it back."""
    data: dict[str, Any] = {}
    context = response.context
    for form in [context["adminform"].form, *_inline_forms(context)]:
        for field in form:
            data.update(_posted(field))
    return {name: value for name, value in {**data, **changes}.items() if value is not None}


def _inline_forms(context: Any) -> Iterator[Any]:
    for inline in context["inline_admin_formsets"]:
        yield inline.formset.management_form
        yield from inline.formset.initial_forms


def _posted(field: Any) -> dict[str, Any]:
    value = field.value()
    if not hasattr(field.field.widget, "widgets"):
        return {} if value is None or value is False else {field.html_name: value}
    parts = value if isinstance(value, list) else field.field.widget.decompress(value)
    return {f"{field.html_name}_{index}": part for index, part in enumerate(parts) if part is not None}
