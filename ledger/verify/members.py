"""The founding of the consortium, held against the genesis block: contracts and policies must name the same
hospitals.
"""

from __future__ import annotations

from consent import canonical
from ledger.protocol.channel import ChannelConfig
from ledger.protocol.envelope import Transaction
from ledger.verify.errors import failed

CONSORTIUM = "members/consortium"


def founding(transaction: Transaction, config: ChannelConfig) -> bool:
    """Whether a valid `transaction` founds the consortium; raises VerificationFailed `verify.members` if not as
    genesis says.
    """
    if transaction.args[0] != b"members:Found":
        return False
    written = dict(transaction.rwset.writes).get(CONSORTIUM)
    if written is None:  # the same founding again, answered with what stands
        return False
    consortium = canonical.decode(written)
    named = tuple(consortium["hospitals"]), tuple(consortium["institutes"])
    if named != (config.hospitals, config.institutes):
        raise failed(
            "members",
            "the consortium was founded with other organisations than the genesis block names",
            founded=sorted(named[0] + named[1]),
            genesis=sorted(config.hospitals + config.institutes),
        )
    return True
