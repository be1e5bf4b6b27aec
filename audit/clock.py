"""Transactions are numbered anew in a restored database: from there on its numbers must go on after the old ones.

The number is `pg_current_xact_id()` plus a constant in the body of two functions, which costs nothing to read.
"""

from django.db import connections

MARGIN = 10**9
"""Beyond the last change: events of reads came after it, too."""
_CLUSTER = "SELECT system_identifier::text FROM pg_control_system()"
_KNOWN = "SELECT request_id FROM audit_change WHERE entity = 'cluster' ORDER BY id DESC LIMIT 1"
_NOTE = (
    "INSERT INTO audit_change (practice_id, entity, operation, row_ids, hashes, request_id)"
    " VALUES ('00000000-0000-0000-0000-000000000000', 'cluster', 'B', '{}', '{}', %s)"
)
_BEHIND = "SELECT coalesce((SELECT max(xid) FROM audit_change), 0) - (SELECT pg_current_xact_id()::text::bigint)"
_FUNCTIONS = """
CREATE OR REPLACE FUNCTION audit_transaction() RETURNS bigint LANGUAGE sql STABLE
    AS 'SELECT pg_current_xact_id()::text::bigint + {offset}';
CREATE OR REPLACE FUNCTION audit_horizon() RETURNS bigint LANGUAGE sql STABLE
    AS 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + {offset}'
"""


def set_clock(using: str) -> None:
    """Reads the whole record of changes once in every new cluster, and else nothing."""
    with connections[using].cursor() as cursor:
        cursor.execute(_CLUSTER)
        (cluster,) = cursor.fetchone()
        cursor.execute(_KNOWN)
        known = cursor.fetchone()
        if known == (cluster,):
            return
        if known is not None:
            cursor.execute(_BEHIND)
            (behind,) = cursor.fetchone()
            cursor.execute(_FUNCTIONS.format(offset=behind + MARGIN))
        cursor.execute(_NOTE, [cluster])
