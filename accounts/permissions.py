"""The role table at every endpoint. A view without an area, a role without a grant: denied."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.roles import Access, allowed, grant
from practices.tenancy import current_scope

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module, as the default permission

_ACCESS_OF_METHOD = {
    "GET": Access.READ,
    "HEAD": Access.READ,
    "OPTIONS": Access.READ,
    "POST": Access.WRITE,
    "PUT": Access.WRITE,
    "PATCH": Access.WRITE,
    "DELETE": Access.FULL,
}


class RolePermission(BasePermission):
    """Asks the table for the view's area and the method's access level.

    The area is `view.area`, else that of the model of `view.queryset`. `view.action_access` names another area and
    level for single actions (of a plain view: lower-cased methods): `{"archive": (Area.PATIENTS, Access.FULL)}`.
    Who may touch only their own rows passes here and is held to them by `view.is_own(obj)`.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        area, access = needed(request, view)
        return _authenticated(request) and allowed(_roles(), area, access, own=True)

    def reads_any_object(self, request: Request, view: "APIView") -> bool:
        """Whether each object may be read, so that none has to be asked for."""
        area, access = needed(request, view)
        return access == Access.READ and allowed(_roles(), area, access)

    def has_object_permission(self, request: Request, view: "APIView", obj: Any) -> bool:
        area, access = needed(request, view)
        if allowed(_roles(), area, access):
            return True
        is_own = getattr(view, "is_own", None)
        return allowed(_roles(), area, access, own=True) and is_own is not None and bool(is_own(obj))


def needed(request: Request, view: "APIView") -> tuple[str, Access]:
    """The area and level this request needs; an area of "" is granted to nobody."""
    method = request.method or ""
    action = getattr(view, "action", None) or method.lower()
    special: Mapping[str, tuple[str, Access]] = getattr(view, "action_access", {})
    if action in special:
        return special[action]
    return view_area(view), _ACCESS_OF_METHOD.get(method, Access.FULL)


def view_area(view: "APIView") -> str:
    model = getattr(getattr(view, "queryset", None), "model", None)
    return str(getattr(view, "area", None) or getattr(model, "area", ""))


def may(area: str, access: Access) -> bool:
    """Whether the scope's actor may, for fields that have an area of their own; the system does what its code does."""
    scope = current_scope()
    if scope is None or scope.actor.kind == "system":
        return scope is not None
    asked = ("may", scope.actor.roles, area, access)
    if asked not in scope.remembered:  # a field asks for each row
        scope.remembered[asked] = allowed(scope.actor.roles, area, access)
    return bool(scope.remembered[asked])


def sees_only_own(area: str) -> bool:
    """Whether the scope's actor may read their own rows of an area and nobody else's."""
    granted = grant(_roles(), area)
    return granted.others < Access.READ <= granted.own


def _authenticated(request: Request) -> bool:
    return bool(request.user and request.user.is_authenticated)


def _roles() -> tuple[str, ...]:
    scope = current_scope()
    return scope.actor.roles if scope is not None else ()
