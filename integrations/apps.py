from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"

    def ready(self) -> None:
        from integrations import checks  # noqa: F401 (registers itself, once apps are loaded)
        from integrations.vendors import quiet_sdk_logs

        quiet_sdk_logs()
