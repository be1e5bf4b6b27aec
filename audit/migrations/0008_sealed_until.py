from django.db import migrations

SEALED_UNTIL = """
CREATE FUNCTION audit_sealed_until() RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce((SELECT until FROM public.audit_seal ORDER BY seq DESC LIMIT 1), 0);
END $$;
"""


class Migration(migrations.Migration):
    """Where the active practice's last seal ends. A function, since the planner asks a stable one before it plans: of an
    unknown number it would think that a third of the log lies behind it.
    """

    dependencies = [("audit", "0007_access_grant")]

    operations = [migrations.RunSQL(SEALED_UNTIL, "DROP FUNCTION audit_sealed_until()")]
