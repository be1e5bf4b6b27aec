from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "patients"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from config.api.problem import register_constraint
        from patients import guard
        from patients.problems import PatientMerged

        register_constraint(guard.CONSTRAINT, PatientMerged)
        post_migrate.connect(guard.install, sender=self)
