from django.apps import AppConfig


class ReactorConfig(AppConfig):
    name = "portal.reactor"
    label = "reactor"
