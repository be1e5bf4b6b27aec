"""The OpenAPI contract, read off the views: every operation says its parameters, bodies and refusals."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.hooks import postprocess_schema_enums
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_parameter_type, get_lib_doc_excludes, get_view_model
from rest_framework import serializers
from rest_framework.permissions import AllowAny

from config.api import idempotency
from config.api.filters import MAX_VALUE_LENGTH
from config.api.routers import UUID_PATTERN
from config.api.serializers import NoBody, StrictModelSerializer, StrictSerializer

PROBLEM_REFERENCE = {"$ref": "#/components/responses/Problem"}

_METHOD_SUFFIX = {"GET": "retrieve", "PATCH": "update", "DELETE": "delete"}


class Schema(AutoSchema):
    """Adds to drf-spectacular what our base views do by themselves."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        for status in self._problem_statuses():
            operation["responses"].setdefault(status, PROBLEM_REFERENCE)
        for status, response in operation["responses"].items():
            if status in {"200", "201"} and self._has_version() and not self._is_list_view():
                response.setdefault("headers", {})["ETag"] = {"schema": {"type": "string"}}
        return operation

    def get_operation_id(self) -> str:
        """`patients_list`, `appointments_check_in`: the path and, unless the path says it already, what is done."""
        names = [token.replace("-", "_") for token in self._tokenize_path()] or ["root"]
        if self.method == "POST":
            suffix = ["create"] if getattr(self.view, "action", None) == "create" else []
        else:
            suffix = ["list"] if self._is_list_view() else [_METHOD_SUFFIX[self.method]]
        return "_".join(names + suffix)

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular does
        """A docstring counts when the view itself wrote it, not one of the bases."""
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        own_class = type(self.view)
        written_here = handler is not None and handler.__module__ == own_class.__module__
        return (written_here and handler.__doc__) or own_class.__dict__.get("__doc__") or ""

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Each authentication class may name a scheme of its own; our access tokens are always one way."""
        if not self._needs_token():
            return []
        offers = [getattr(each, "security_scheme", None) for each in self.view.get_authenticators()]
        names = ["OAuth2", *(offer(self.view) for offer in offers if offer is not None)]
        return [{name: []} for name in names if name]

    def get_request_serializer(self) -> Any:
        takes_no_body = getattr(self.view, "takes_no_body", None)
        return None if takes_no_body is not None and takes_no_body() else super().get_request_serializer()

    def _get_request_body(self, direction: Any = "request") -> Any:
        """drf-spectacular has no bodies of DELETE: the few that there are it reads as a POST's."""
        if self.method != "DELETE" or not getattr(self.view, "delete_takes_body", False):
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]  # untyped there
        self.method = "POST"
        try:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]  # untyped there
        finally:
            self.method = "DELETE"

    def get_response_serializers(self) -> Any:
        read = getattr(self.view, "get_read_serializer_class", None)
        if read is None:
            return super().get_response_serializers()
        serializer_class = read()
        return None if issubclass(serializer_class, NoBody) else serializer_class

    def _get_serializer_name(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> str:
        return (
            super()._get_serializer_name(serializer, direction, bypass_extensions).replace("RequestRequest", "Request")
        )

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}Page"

    def _is_list_view(self, serializer: Any = None) -> bool:
        is_list = getattr(self.view, "is_list", None)
        return super()._is_list_view(serializer) if is_list is None else bool(is_list())

    def _get_parameters(self) -> list[Any]:
        parameters = super()._get_parameters()
        for parameter in parameters:
            if parameter["in"] == "query":
                _refuse_blank(parameter["schema"])
        return [*parameters, *self._header_parameters()]

    def _header_parameters(self) -> list[Any]:
        parameters = []
        if self._is_idempotent():
            parameters.append(
                build_parameter_type(
                    name=idempotency.HEADER,
                    location="header",
                    schema={"type": "string", "minLength": 1, "maxLength": idempotency.MAX_LENGTH},
                    description="Makes it safe to send the request again: for 24 hours the first answer is repeated.",
                )
            )
        if self._honours_if_match():
            parameters.append(
                build_parameter_type(
                    name="If-Match",
                    location="header",
                    schema={"type": "string", "pattern": r'^(\*|"[^"]+")$'},
                    description="The ETag you have; 412 when the object has changed since.",
                )
            )
        return parameters

    def _resolve_path_parameters(self, variables: list[str]) -> list[Any]:
        """Ids are UUIDs by their pattern, whatever the view's model is."""
        ids = [name for name in variables if self._is_uuid(name)]
        others = [name for name in variables if name not in ids]
        schema = {"type": "string", "format": "uuid"}
        return [
            *(build_parameter_type(name=name, location="path", schema=schema) for name in ids),
            *super()._resolve_path_parameters(others),  # type: ignore[no-untyped-call]  # untyped there
        ]

    def _is_uuid(self, name: str) -> bool:
        names = (name, "pk") if name == "id" else (name,)
        return any(f"(?P<{alias}>{UUID_PATTERN})" in self.path_regex for alias in names)

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        """Requests are closed: the strict serializers refuse what they don't know."""
        schema = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]  # ditto
        strict = isinstance(serializer, StrictSerializer | StrictModelSerializer)
        if direction == "request" and strict and schema.get("properties"):
            schema["additionalProperties"] = False
        return _without_required(schema, may_be_absent(serializer))

    def _needs_token(self) -> bool:
        if not self.view.authentication_classes:
            return False
        return not any(isinstance(permission, AllowAny) for permission in self.view.get_permissions())

    def _is_idempotent(self) -> bool:
        return self.method == "POST" and getattr(self.view, "idempotent", False) and self._needs_token()

    def _has_version(self) -> bool:
        model = get_view_model(self.view, emit_warnings=False)
        return model is not None and any(field.name == "version" for field in model._meta.fields)

    def _honours_if_match(self) -> bool:
        return self.method != "GET" and self._has_version() and bool(getattr(self.view, "detail", False))

    def _problem_statuses(self) -> list[str]:
        """What any operation of this kind may answer besides success."""
        statuses = {"400", "406", "429", "500", "503"}
        if self._needs_token() or getattr(self.view, "auth_limited", False):
            statuses |= {"401", "403"}
        if "{" in self.path:
            statuses.add("404")
        if self.method != "GET":
            statuses |= {"409", "411", "413", "415"}
        if self._honours_if_match():
            statuses.add("412")
        if self._is_idempotent():
            statuses.add("422")
        return sorted(statuses)


def may_be_absent(serializer: Any) -> set[str]:
    """The fields that are not shown to everybody: those that say so, and those that the serializer names."""
    named: Iterable[str] = getattr(serializer, "may_be_absent", ())
    fields = getattr(serializer, "fields", {})
    return {*named, *(name for name, field in fields.items() if getattr(field, "may_be_absent", False))}


def _without_required(schema: dict[str, Any], names: set[str]) -> dict[str, Any]:
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if name not in names]
    return schema


def _refuse_blank(schema: dict[str, Any]) -> None:
    """`check_query` refuses empty values; formats and enumerations say so by themselves."""
    if schema.get("type") == "string" and not {"enum", "format"} & set(schema):
        schema.setdefault("minLength", 1)
        schema.setdefault("maxLength", MAX_VALUE_LENGTH)


def name_enums(result: Any, generator: Any, **kwargs: Any) -> Any:
    """drf-spectacular's components for choices, and null beside them where a field has it, which that forgets."""
    schemas = result["components"]["schemas"].values()
    holders = [schema["properties"] for schema in schemas if "properties" in schema]
    nullable = [(holder, name) for holder in holders for name, each in holder.items() if None in each.get("enum", ())]
    result = postprocess_schema_enums(result, generator, **kwargs)
    for holder, name in nullable:
        field = holder[name]
        named = {"$ref": field.pop("$ref")} if "$ref" in field else field.pop("allOf")[0]
        field["oneOf"] = [named, {"type": "null"}]
    return result


def doc_excludes() -> list[type]:
    """Base classes whose docstrings are for programmers and don't belong into the contract."""
    return [*get_lib_doc_excludes(), serializers.Serializer, StrictSerializer, StrictModelSerializer, NoBody]
