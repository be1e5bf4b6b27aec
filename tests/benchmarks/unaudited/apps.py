from django.apps import AppConfig, apps
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import post_delete, post_save
from django.dispatch import Signal


class UnauditedConfig(AppConfig):
    name = "tests.benchmarks.unaudited"

    def ready(self) -> None:
        """What the audit connects in its own `ready()`, and the queries that `update()` makes for it."""
        from accounts import signals as of_accounts
        from patients.signals import patient_data_read
        from practices import signals as of_practices

        for model in apps.get_models():
            if getattr(model, "audited", False):
                model.audited = False  # type: ignore[attr-defined]  # of our own models
                for signal in (post_save, post_delete):
                    signal.disconnect(sender=model, dispatch_uid="audit")
        others = [*vars(of_accounts).values(), *vars(of_practices).values(), patient_data_read]
        for signal in (*others, user_logged_in, user_logged_out):
            if isinstance(signal, Signal):
                signal.disconnect(dispatch_uid="audit")
