"""What the demo asks of one node: actions by name, a JSON line each, run inside that node's own process and settings.

python -m portal.demo.node        (COVENANT_NODE names the node)
{"action": "vote", "arguments": {"proposal": "..."}}   ->   {"ok": true, "result": ...}
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from consent.errors import CovenantError


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from django.conf import settings

    if settings.NODE.role == "hub":
        from portal.demo import research as actions
    else:
        from portal.demo import hospital as actions  # type: ignore[no-redef]
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever else prints goes to the log
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(answer(getattr(actions, request["action"]), request["arguments"])) + "\n")
        answers.flush()


def answer(action: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": True, "result": action(**arguments)}
    except CovenantError as error:
        return {"ok": False, "code": error.code, "message": error.message}


if __name__ == "__main__":
    main()
