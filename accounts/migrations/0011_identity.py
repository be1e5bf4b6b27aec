from django.db import migrations

# The policies show a user their own rows of every practice, so the practice is compared here as well.
IDENTITY = """
CREATE FUNCTION accounts_identity(of_session uuid, of_user uuid, in_practice uuid, of_version integer)
RETURNS TABLE (
    id uuid, email text, name text, is_active boolean, is_superuser boolean, token_version integer,
    membership_id uuid, roles text[], must_enrol boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT u.id, u.email::text, u.name::text, u.is_active, u.is_superuser, u.token_version, m.id, m.roles::text[],
        NOT s.second_factor AND (u.is_superuser OR EXISTS (
            SELECT FROM public.practices_practicepolicy AS policy
            WHERE policy.practice_id = s.practice_id AND policy.mfa_required_roles && m.roles))
    FROM public.accounts_refreshsession AS s
    JOIN public.accounts_user AS u ON u.id = s.user_id
    JOIN public.accounts_membership AS m ON m.practice_id = s.practice_id AND m.user_id = s.user_id
    JOIN public.practices_practice AS p ON p.id = s.practice_id
    WHERE s.kind = 'api' AND s.id = of_session AND s.user_id = of_user AND s.practice_id = in_practice
        AND s.revoked_at IS NULL AND s.expires_at > now() AND s.token_version = u.token_version
        AND u.is_active AND u.token_version = of_version AND m.status = 'active' AND p.status = 'active';
END $$;
"""


class Migration(migrations.Migration):
    """The question of every request: in a function PostgreSQL plans it once a connection, with any pooler."""

    dependencies = [("accounts", "0010_session_kind"), ("practices", "0007_constraint_messages")]

    operations = [migrations.RunSQL(IDENTITY, "DROP FUNCTION accounts_identity(uuid, uuid, uuid, integer)")]
