"""`python -m portal.manage COMMAND`: Django's commands for the node whose settings file COVENANT_NODE names."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from consent.errors import CovenantError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    try:
        execute_from_command_line(sys.argv)
    except CovenantError as error:
        sys.exit(f"{error.code}: {error.message}")


if __name__ == "__main__":
    main()
