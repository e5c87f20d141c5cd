"""What a request says that its asker alone vouches for: a steward who decides reads it, a sentence each.

Where an organisation sits and what kind it is, the members hold. Nothing else about a request is held by anybody.
"""

from __future__ import annotations

from typing import Any

from consent.seats import Seat


def promises(purpose: dict[str, Any], held: Seat) -> list[str]:
    """The asker's word in `purpose`; `held`: what the members hold of the asker."""
    asking = purpose.get("asking") or {}
    found = ["What kind of research it is, and what it leaves out."]
    if purpose.get("commercial") is False:
        company = ", though the members hold that it is a company" if held.for_profit else ""
        found.append(f"That none of it is for gain{company}. Most patients allow it only so.")
    if users := asking.get("users"):
        found.append(f"That these alone will use it: {', '.join(users)}.")
    if project := asking.get("project"):
        found.append(f"That it belongs to the project {project}.")
    if ethics := asking.get("ethics"):
        found.append(
            f"That ethics was approved until {ethics['until']}. Ask for the document and compare its SHA-256: "
            f"{ethics['document']}."
        )
    if asking.get("accepts"):
        found.append("That it will keep what it has accepted.")
    return found
