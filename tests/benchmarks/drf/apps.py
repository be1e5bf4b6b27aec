from django.apps import AppConfig


class PlainConfig(AppConfig):
    name = "tests.benchmarks.drf"
    label = "plain"
