from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tests.benchmarks.drf.models import Membership


class IsMember(BasePermission):
    """Of the practice that the token names; fetched on every request, and kept for the view."""

    def has_permission(self, request: Request, view: Any) -> bool:
        claims: Any = request.auth
        if not claims:
            return False
        found = Membership.objects.filter(user=request.user, practice_id=claims["practice"], status="active")
        view.membership = found.first()
        return view.membership is not None
