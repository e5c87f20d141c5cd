"""The hard limits: constants of the code, out of reach of any vote, plan or steward.

Each is checked on every path that could pass it, also when an executed proposal acts. A hospital's own installed
software checks the ones that concern it once more.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

MIN_COHORT: Final = 20  # patients; no plan may ask for fewer, no bucket begins lower
MAX_EPSILON: Final = "10"  # the ceiling of every account's cap
MAX_COUNTS_EPSILON: Final = "5"  # the ceiling of a hospital's sub-account for counts, at its delta
COUNTS_PER_MONTH: Final = 20  # noised counts a data set answers in one month
MIN_SIGMA: Final = Decimal("0.1")  # noise multiplier below which a mechanism is no mechanism
MAX_DELTA: Final = Decimal("0.02")  # below 1/49: a larger delta could publish one patient of the smallest data set
MAX_BATCH: Final = 500  # grants in one transaction
MAX_ENTITLEMENT_DAYS: Final = 730  # access always ends
MAX_PAST_MONTHS: Final = 12  # a grant that ended longer ago than this is not recorded any more
MAX_PROPOSAL_SECONDS: Final = 90 * 86400  # a vote always ends
MAX_PHASE_SECONDS: Final = 30 * 86400  # so does each phase of a round
MAX_ROUNDS: Final = 10_000

FORBIDDEN_PURPOSES: Final = {
    "DUO:0000004": "no purpose is named (no restriction is a permission, not a purpose)",
    "DUO:0000011": "research on ancestry or origins is outside what this consortium does",
}

ORDERS: Final = (*range(2, 65), 72, 80, 96, 128, 192, 256)  # integer orders of every RDP curve on the ledger

ROLES_OF_A_HOSPITAL: Final = ("peer", "registrar", "site", "steward")
ROLES_OF_AN_INSTITUTE: Final = ("auditor", "researcher", "runner")
