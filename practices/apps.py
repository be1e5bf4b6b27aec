from django.apps import AppConfig


class PracticesConfig(AppConfig):
    name = "practices"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate, pre_migrate

        from config.api.problem import Conflict, register_refusal
        from practices import checks, grants  # noqa: F401  # registers the system checks
        from practices.models import ConcurrentEdit

        pre_migrate.connect(grants.grant_rows, sender=self)
        register_refusal(ConcurrentEdit, Conflict("Somebody else changed this at the same time; read it again."))
        post_migrate.connect(grants.protect_migrations, sender=self)
