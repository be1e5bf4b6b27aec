from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"

    def ready(self) -> None:
        from integrations import (
            checks,  # noqa: F401 (registers itself, once apps are loaded)
            waitlist,
        )
        from integrations.documents import discarding
        from integrations.events import access, record
        from integrations.invitations import receivers as invitations
        from integrations.messages import receivers
        from integrations.messages.defaults import create_default_templates
        from integrations.notices import receivers as notices
        from integrations.vendors import quiet_libraries
        from practices.signals import practice_created

        receivers.connect()
        discarding.connect()
        notices.connect()
        invitations.connect()
        record.connect()
        access.connect()
        waitlist.connect()
        practice_created.connect(create_default_templates)
        quiet_libraries()
