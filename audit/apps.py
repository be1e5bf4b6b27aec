from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from audit import logins, receivers, triggers

        receivers.connect()
        logins.connect()
        post_migrate.connect(triggers.install, sender=self)
