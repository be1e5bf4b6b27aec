"""Counting rows costs more than showing a page of them."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

MAX_COUNTED = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Counts no further than MAX_COUNTED; what lies beyond is found by searching and filtering, not by paging."""

    template_name = "admin/bounded_pagination.html"

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        if not hasattr(rows, "query"):
            return len(rows)
        return int(rows.order_by()[: MAX_COUNTED + 1].count())

    @property
    def is_cut(self) -> bool:
        return self.count > MAX_COUNTED

    @property
    def most_counted(self) -> int:
        return MAX_COUNTED
