"""What a verification found, and in plain words what that proves and what it does not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CodeChange:
    """From block `block`, transaction `transaction` on, the contract code is `version`: the digest of its source
    (ledger.contracts.host.source_digest). On the embedded ledger endorsers named it; on Fabric it was committed there,
    and `approved` are the organisations whose approval of just that stands on the ledger.
    """

    block: int
    transaction: int
    version: str
    approved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """From the block after `block` on, the channel has these members. `signers`: whose administrators signed that."""

    block: int
    hospitals: tuple[str, ...]
    institutes: tuple[str, ...]
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A ledger that verified. A failed check never makes a report: it raises VerificationFailed.

    `height`: the number of blocks; `head_hash`: the newest one's header hash, 64 hex characters.
    `invalid`: how many ordered transactions wrote nothing, by Fabric's reason. `attested`: how many of the replayed
    rested on evidence that only the endorsers saw. `heads`: how many of the caller's own heads were found.
    `hospitals`, `institutes`: the members at the end; `config_changes`: how they came to be. `passed_over`:
    endorsements that do not verify and counted for nothing (on Fabric, where any client can add some).
    """

    channel: str
    genesis: str
    hospitals: tuple[str, ...]
    institutes: tuple[str, ...]
    config_changes: tuple[ConfigChange, ...]
    consensus: str
    height: int
    head_hash: str
    transactions: int
    invalid: dict[str, int]
    signatures: int
    replayed: int
    attested: int
    attested_by_function: dict[str, int]
    contract_code: str
    code_changes: tuple[CodeChange, ...]
    passed_over: int
    founded: bool
    heads: int
    seconds: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def one_operator(self) -> bool:
        """Whether one operator holds all keys: so on the embedded ledger, which is for one machine."""
        return self.consensus == "embedded"

    def proven(self) -> list[str]:
        """What follows from this verification, one sentence each."""
        said = [
            f"The {self.height} blocks are one unbroken chain from the genesis block you named.",
            f"All {self.signatures} signatures hold: each transaction's client, each endorser, each block's orderer; "
            f"each certificate comes from its organisation and was valid at the transaction's own time.",
            f"Every one of the {self.replayed} transactions that count was endorsed by a strict majority of the "
            f"hospitals of its time, which are {len(self.hospitals)} now.",
            f"The verdicts were recomputed: {self.replayed} transactions count, {sum(self.invalid.values())} do not.",
            f"The contracts, run again, wrote, announced and answered exactly the same in all {self.replayed}.",
        ]
        if not self.one_operator:
            said.append(
                "Each block was signed by as many orderers as the channel's rules asked for when it was made; the "
                f"{len(self.config_changes)} change(s) of members and rules were signed by those who decide on them."
            )
        if self.heads:
            said.append(f"The {self.heads} head(s) you hold are in it: nothing up to them was cut or rewritten.")
        return said

    def not_proven(self) -> list[str]:
        """What does not follow, one sentence each."""
        said = [
            "A ledger says what was recorded, not what happened: what a hospital's trainer read, or what a screen "
            "showed, is outside it.",
            "Times are the clients' own, held to five minutes by the endorsers' clocks.",
        ]
        if self.attested:
            said.insert(
                0,
                f"{self.attested} transactions rest on evidence that is in no block (patients' signatures): that it "
                "was checked is attested by the endorsers, and is as good as a majority of them.",
            )
        if self.passed_over:
            said.append(
                f"{self.passed_over} endorsement(s) do not verify. They counted for nothing; why they are there, the "
                "senders know."
            )
        if not self.founded:
            said.append("No consortium is founded on this ledger yet.")
        if not self.heads:
            said.append(
                "You named no head: blocks cut off at the end would not show. Pass --head with the height and "
                "hash of a receipt or certificate."
            )
        if self.one_operator:
            said.append(
                "One operator holds all keys of this embedded ledger: that operator could have written another chain "
                "from the same genesis block. Only heads kept by others (receipts, certificates) bind it."
            )
        if any(each.version != self.contract_code for each in self.code_changes):
            said.append(
                "Part of it was endorsed under other contract code than is installed here. It does the same when "
                "run by the code here; whether a majority was right to change the code is for people to judge."
            )
        return said

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "ok": True,
            **{name: getattr(self, name) for name in self.__slots__ if name != "seconds"},
            "hospitals": list(self.hospitals),
            "institutes": list(self.institutes),
            "config_changes": [asdict(each) for each in self.config_changes],
            "code_changes": [asdict(each) for each in self.code_changes],
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "one_operator": self.one_operator,
            "proven": self.proven(),
            "not_proven": self.not_proven(),
        }
