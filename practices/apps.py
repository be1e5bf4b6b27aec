from django.apps import AppConfig


class PracticesConfig(AppConfig):
    name = "practices"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate, pre_migrate

        from practices import checks, grants  # noqa: F401  # registers the system checks

        pre_migrate.connect(grants.grant_rows, sender=self)
        post_migrate.connect(grants.protect_migrations, sender=self)
