from django.contrib.admin.apps import AdminConfig


class PracticeAdminConfig(AdminConfig):
    default_site = "accounts.admin_site.PracticeAdminSite"
