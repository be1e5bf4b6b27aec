from datetime import UTC
from zoneinfo import ZoneInfo

from django.db import models
from django.utils import timezone

from practices.models import Practice
from practices.tenancy import practice_scope
from tests.rows import SETUP, make_row, tenant_models

FAR = ZoneInfo("Asia/Kathmandu")  # a quarter of an hour aside, too


def test_what_a_row_is_called_tells_times_as_its_page_does(practice: Practice) -> None:
    """The admin's pages are in the practice's time; a title in UTC beside them reads as another moment."""
    with practice_scope(practice, actor=SETUP), timezone.override(FAR):
        names = [(row, str(row)) for row in (make_row(model) for model in tenant_models())]
    wrong = [
        (row._meta.label, field.name)
        for row, name in names
        if not hasattr(row, "time_zone")  # a visit's own
        for field in row._meta.concrete_fields
        if isinstance(field, models.DateTimeField) and (at := getattr(row, field.attname))
        if f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" in name
    ]
    assert wrong == []
