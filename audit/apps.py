from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from audit import logins, receivers

        receivers.connect()
        logins.connect()
