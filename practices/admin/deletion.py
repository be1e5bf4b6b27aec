"""What deleting rows would take along: counted, because a location may be named by a hundred thousand visits."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.utils import quote
from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

Deletion = tuple[list[Any], dict[str, int], set[str], list[str]]


def what_goes_along(rows: Sequence[models.Model], site_name: str) -> Deletion:
    """As Django's `get_deleted_objects`: (shown rows, counts by name, lacking permissions, what forbids it)."""
    shown = [_link(row, site_name) for row in rows]
    counts: dict[str, int] = {str(type(rows[0])._meta.verbose_name_plural): len(rows)} if rows else {}
    protected: list[str] = []
    for relation in type(rows[0])._meta.related_objects if rows else ():
        related: Any = relation.related_model
        name = str(related._meta.verbose_name_plural)
        referring = related._default_manager.filter(**{f"{relation.field.name}__in": [row.pk for row in rows]})
        if relation.on_delete is models.PROTECT:
            if referring.exists():
                protected.append(f"{name.capitalize()} refer to this. Make it inactive instead.")
        elif relation.on_delete is models.CASCADE and (count := referring.count()):
            counts[name] = count
            shown.append(f"{count} {name}")
    return shown, counts, set(), protected


def _link(row: models.Model, site_name: str) -> str:
    meta = row._meta
    try:
        url = reverse(f"{site_name}:{meta.app_label}_{meta.model_name}_change", args=[quote(row.pk)])
    except NoReverseMatch:
        return str(row)
    return format_html('<a href="{}">{}</a>', url, row)
