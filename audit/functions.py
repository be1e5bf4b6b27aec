"""The database's own functions of the log, as migrations make them and as they are."""

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from django.db import connections

from audit import migrations

Function = tuple[str, str, bool, str, list[str], bool]
"""body, language, whether it has its owner's rights, volatility, settings, and whether the log's owner owns it."""

_OFFSET = re.compile(r"\d+$")
"""What audit/clock.py adds in a restored database."""
_CLOCK = frozenset({"audit_transaction()", "audit_horizon()"})

_STATEMENT = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION (?P<name>\w+)\((?P<arguments>[^)]*)\)\s+RETURNS .*?\s"
    r"LANGUAGE (?P<language>\w+)(?P<options>.*?)\sAS (?:\$\$(?P<body>.*?)\$\$|'(?P<text>[^']*)')"
    r"|DROP FUNCTION (?P<dropped>\w+)\(",
    re.DOTALL,
)
_SETTING = re.compile(r"""SET "?(\w+)"? = (?:'([^']*)'|(\w+(?:, \w+)*))""")
_VOLATILITY = {"IMMUTABLE": "i", "STABLE": "s"}
_PRESENT = """
SELECT proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', prosrc, lanname, prosecdef,
    provolatile::text, coalesce(proconfig, '{}'),
    proowner = (SELECT relowner FROM pg_class WHERE oid = 'audit_auditevent'::regclass)
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = prolang
WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'audit\\_%'
"""


def changed(using: str) -> Iterator[str]:
    """Names with arguments of those that are gone, new, or other than migrated in anything."""
    migrated, present = _migrated(), _present(using)
    offsets = {match[0] for name in _CLOCK & present.keys() if (match := _OFFSET.search(present[name][0]))}
    for name in sorted(_CLOCK & present.keys()):
        body, *rest = present[name]
        present[name] = (_OFFSET.sub("0" if len(offsets) == 1 else "differs", body), *rest)
    yield from sorted(name for name in migrated.keys() | present.keys() if migrated.get(name) != present.get(name))


def _migrated() -> dict[str, Function]:
    """What the text of all migrations' SQL leaves, read in their order."""
    found: dict[str, Function] = {}
    for module in sorted(each.name for each in iter_modules(migrations.__path__)):
        texts = vars(import_module(f"{migrations.__name__}.{module}")).values()
        for match in _STATEMENT.finditer("\n".join(each for each in texts if isinstance(each, str))):
            if (dropped := match["dropped"]) is not None:
                found = {name: made for name, made in found.items() if not name.startswith(f"{dropped}(")}
            else:
                found[f"{match['name']}({match['arguments']})"] = _function(match)
    return found


def _function(match: re.Match[str]) -> Function:
    options = match["options"]
    volatility = next((code for word, code in _VOLATILITY.items() if word in options), "v")
    set_to = [f"{name}={quoted or plain}" for name, quoted, plain in _SETTING.findall(options)]
    body = match["text"] if match["body"] is None else match["body"]
    return body, match["language"], "SECURITY DEFINER" in options, volatility, set_to, True


def _present(using: str) -> dict[str, Any]:
    with connections[using].cursor() as cursor:
        cursor.execute(_PRESENT)
        return {name: tuple(function) for name, *function in cursor.fetchall()}
