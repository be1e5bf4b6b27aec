from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "patients"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from patients import guard

        post_migrate.connect(guard.install, sender=self)
