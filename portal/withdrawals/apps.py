from django.apps import AppConfig


class WithdrawalsConfig(AppConfig):
    name = "portal.withdrawals"
    label = "withdrawals"
