"""Parts of the OpenAPI contract that belong to no view. Settings read them, so this imports nothing of Django."""

from typing import Any

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details. Some codes bring further members, named where they occur.",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people; don't parse it."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "code": {"type": "string", "description": "For programs.", "examples": ["validation_error", "not_found"]},
        "request_id": {"type": "string", "description": "Name it when reporting a fault."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail", "in"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer, or `/name` of a parameter or header."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "in": {"type": "string", "enum": ["body", "query", "header", "path"]},
                },
            },
        },
    },
    "additionalProperties": True,
}

CONTRACT_COMPONENTS: dict[str, Any] = {
    "schemas": {"Problem": PROBLEM},
    "responses": {
        "Problem": {
            "description": "The request was refused, or failed.",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    },
    "securitySchemes": {
        "OAuth2": {
            "type": "oauth2",
            "description": "Log in with username and password; with an authenticator app its six digits as"
            " client_secret. Leave client_id empty.",
            "flows": {"password": {"tokenUrl": "/api/v1/auth/token", "scopes": {}}},
        },
        "ApiKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "pk_<prefix>_<secret>",
            "description": "For programs: a key made at `/api/v1/api-keys`, as far as its scopes go.",
        },
    },
}
