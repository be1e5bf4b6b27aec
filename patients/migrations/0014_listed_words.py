from django.db import migrations, models

WORD = """
CREATE FUNCTION patients_listed_word() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT patient.sort_name, patient.preferred_name <> '' OR length(patient.sort_name) = 250
    INTO NEW.sort_name, NEW.more_words
    FROM public.patients_patient AS patient
    WHERE patient.practice_id = NEW.practice_id AND patient.id = NEW.patient_id;
    NEW.start := left(NEW.word, 3);
    NEW.sort_name := coalesce(NEW.sort_name, '');  -- whoever names no patient hears it from the key, at the end
    NEW.more_words := coalesce(NEW.more_words, false);
    RETURN NEW;
END $$;
CREATE TRIGGER patients_listed_word BEFORE INSERT OR UPDATE ON patients_patientname
    FOR EACH ROW EXECUTE FUNCTION patients_listed_word();
ALTER TABLE patients_patientname ENABLE ALWAYS TRIGGER patients_listed_word;
"""
NOT_WORD = """
DROP TRIGGER patients_listed_word ON patients_patientname;
DROP FUNCTION patients_listed_word();
"""

NAME = """
CREATE FUNCTION patients_listed_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.patients_patientname SET sort_name = NEW.sort_name
    WHERE practice_id = NEW.practice_id AND patient_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER patients_listed_name AFTER UPDATE OF sort_name, preferred_name ON patients_patient
    FOR EACH ROW WHEN (OLD.sort_name <> NEW.sort_name OR (OLD.preferred_name = '') <> (NEW.preferred_name = ''))
    EXECUTE FUNCTION patients_listed_name();
ALTER TABLE patients_patient ENABLE ALWAYS TRIGGER patients_listed_name;
"""
NOT_NAME = """
DROP TRIGGER patients_listed_name ON patients_patient;
DROP FUNCTION patients_listed_name();
"""

ASKED = """
CREATE FUNCTION patients_has_word(of_practice uuid, of_patient uuid, since text, until text) RETURNS boolean
LANGUAGE plpgsql STABLE COST 1 AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM public.patients_patientname
        WHERE practice_id = of_practice AND patient_id = of_patient AND word >= since AND word < until
    );
END $$;
"""
"""COST 1: few patients are asked about. As a subquery it is taken for what makes a search dear, whatever else is read."""


class Migration(migrations.Migration):
    """What a list of those found by name needs to know, beside each word of the name.

    The database fills it whoever writes: the release before this one, which goes on while this one is rolled out, and
    anybody's SQL. So it can't be other than the patient's. Rows there are follow in the next migration.
    """

    dependencies = [("patients", "0013_patient_found")]

    operations = [
        migrations.AddField(
            "patientname",
            "start",
            models.CharField(db_collation="C", db_default="", default="", editable=False, max_length=3),
        ),
        migrations.AddField(
            "patientname",
            "sort_name",
            models.CharField(db_collation="C", db_default="", default="", editable=False, max_length=250),
        ),
        migrations.AddField(
            "patientname",
            "more_words",
            models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.RunSQL(WORD, NOT_WORD),
        migrations.RunSQL(NAME, NOT_NAME),
        migrations.RunSQL(ASKED, "DROP FUNCTION patients_has_word(uuid, uuid, text, text)"),
    ]
