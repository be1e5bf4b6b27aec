from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from audit import logins, receivers, triggers
        from audit.access_report import access_report
        from patients import record

        if access_report not in record.sources:
            record.sources.append(access_report)
        receivers.connect()
        logins.connect()
        post_migrate.connect(triggers.install, sender=self)
