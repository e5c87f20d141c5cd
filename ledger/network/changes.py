"""A change of the channel's configuration that members with a directory each agree on: a hospital joins, leaves, or
renews its orderer's certificates.

One of them begins it (`join`, `leave`, `renew`): NAME.change.json (change_file.py), which goes from hand to hand. Each
of the others looks at it in words and signs it with its own key (`sign`); once enough have, any of them sends it, and
all take note (`apply`). The update that Fabric wants does not travel: everybody makes it from the channel's
configuration, as its own orderer has it, and from what the file says, and signs that. So a file that was altered holds
no signature that counts, and nothing can be signed that was not read. The hospital that joins takes the file
(`accept`) once the channel has it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from fabric_protos.common import common_pb2
from msgspec import structs

from consent import canonical
from ledger.errors import LedgerError
from ledger.identity import files
from ledger.identity.msp import Identity
from ledger.identity.validation import Validator
from ledger.network import renewal
from ledger.network.change_file import Change, Signature, altered, read_change
from ledger.network.entries import Entry, check_apart, entries, group, read, write
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.members import prepared
from ledger.network.membership import current, difference, fetch, majority, send, sign, with_hospital, without
from ledger.network.network import Network
from ledger.network.node import Node
from ledger.network.plan import Member, Plan
from ledger.network.programs import Programs
from ledger.protocol import exact
from ledger.protocol.configuration import MspConfig


@dataclass(frozen=True, slots=True)
class Looked:
    """A change that this member could sign. `signers`: who has, by name; `needed`: how many it takes."""

    change: Change
    update: bytes
    signers: list[str]
    needed: int


def join(network: Network, name: str, file: Path) -> Change:
    """Begin to add the hospital whose `file` of `prepare` this is, signed by the member whose directory this is.

    Raises NetworkError `network.other-member` where the file is another's, `network.member-exists`, `network.port`,
    `network.behind`, and as Entry.check does.
    """
    _check_one_members(network)
    told = read(file, Entry)
    told.check(file)
    if told.name != name or told.kind != "hospital":
        raise NetworkError(
            "network.other-member", f"{file} is of the {told.kind} {told.name}, not of a hospital {name}: name its file"
        )
    return _begun(network, "join", name, told)


def leave(network: Network, name: str) -> Change:
    """Begin to take the hospital `name` out. Raises as membership.without(), `network.no-node`, `network.behind`."""
    return _begun(network, "leave", name, None)


def renew(network: Network, name: str) -> Change:
    """Make new keys for this hospital, which lie aside, and begin to tell the channel.

    Raises NetworkError `network.elsewhere`, `network.authority-away`, `network.behind`.
    """
    organisation = network.node(name).organisation
    with network.layout.lock():
        renewal.issue(network.layout, organisation)
    return _begun(network, "renew", name, renewal.renewed(network.layout, organisation))


def look(network: Network, file: Path) -> Looked:
    """What `file` changes, once this member has made the same of it and of what it knows itself.

    Raises NetworkError `network.other-channel`, `network.other-configuration`, `network.behind`, `network.altered`,
    `network.malformed`, and as join(), leave() and renew() do.
    """
    with network.layout.lock():
        return _looked(network, _change(network, file), file)


def add(network: Network, looked: Looked) -> Change:
    """The change with this member's signature as well. Raises NetworkError `network.already-signed`."""
    if network.first.name in looked.signers:
        raise NetworkError(
            "network.already-signed",
            f"{network.first.name} has signed this change: hand it to a hospital that has not, or covenant network "
            "apply it",
        )
    return _signed(network, looked.change, looked.update)


def apply(network: Network, file: Path, tell: Callable[[str], None] = lambda text: None) -> Plan:
    """Send the change unless the channel has it, and take note of it: the plan that this directory has from then on.

    Raises NetworkError `network.leaving` for the one that leaves, `network.too-few-signatures`, `network.no-answer`,
    `network.refused`, and as look() does.
    """
    with network.layout.lock():
        change = _change(network, file)
        if network.plan.here not in [each.name for each in change.plan.organisations]:
            raise NetworkError(
                "network.leaving",
                f"by {file} {network.plan.here} leaves, and is answered no more: another hospital gives covenant "
                "network apply, and covenant network down ends what runs here",
            )
        if not _stands(network, change):
            looked = _looked(network, change, file)
            if len(looked.signers) < looked.needed:
                raise NetworkError(
                    "network.too-few-signatures",
                    f"{len(looked.signers)} have signed {file}, and it takes {looked.needed}: another hospital gives "
                    "covenant network sign",
                )
            tell(f"Changing the channel's configuration, signed by {', '.join(looked.signers)}")
            try:
                send(network, looked.update, [each.to_fabric() for each in change.signatures], change.sequence)
            except NetworkError:
                if not _stands(network, change):  # else another member was quicker
                    raise
        return _noted(network, change, file)


def accept(directory: Path, file: Path, digest: str, programs: Programs) -> Plan:
    """Take part, with the keys in `directory`, in the network that `file` has let this hospital join. `digest`: SHA-256
    of the channel's first block, as the other members say it.

    Raises NetworkError `network.other-genesis`, `network.other-member`, `network.not-prepared`, `network.not-joined`,
    `network.other-plan`, `network.malformed`, `network.refused`.
    """
    layout = Layout(directory.absolute())
    change = read_change(file)
    with layout.lock():
        own = prepared(layout, change.entries, change.plan, file)
        network = Network(layout, structs.replace(change.plan, here=own.name), programs)
        others = [each for each in change.entries if each.name != own.name]
        try:
            for each in others:
                write(layout, each)
            _settings(network)
            try:
                first = _of_others(network, "0").read_bytes()
                config = current(_of_others(network, "config"))
            except NetworkError as error:
                raise _not_joined(file, error.message) from None
            if sha256(first).hexdigest() != digest:
                raise NetworkError(
                    "network.other-genesis",
                    f"the first block of the network of {file} has the digest {sha256(first).hexdigest()}, not "
                    f"{digest}: ask the other members which one is theirs",
                )
            if not _says(network, config, change):
                raise _not_joined(file, "its configuration is another")
        except BaseException:
            for each in others:
                shutil.rmtree(layout.organisations / each.name, ignore_errors=True)
            raise
        files.write(layout.genesis, first)
        files.write(layout.genesis_digest, digest.encode() + b"\n")
        layout.write(network.plan)
    return network.plan


def _begun(network: Network, kind: Literal["join", "leave", "renew"], name: str, told: Entry | None) -> Change:
    """The change as it begins: with the signature of the member whose directory this is."""
    with network.layout.lock():
        _settings(network)
        config = current(fetch(network))
        _check_known(network, config)
        plan, after = _after(network, kind, name, told)
        change = Change(kind=kind, name=name, sequence=config.sequence, plan=plan, entries=after)
        return _signed(network, change, _update(network, config, change))


def _looked(network: Network, change: Change, file: Path) -> Looked:
    if change.plan.channel != network.plan.channel:
        raise NetworkError(
            "network.other-channel",
            f"{file} changes the channel {change.plan.channel}, not {network.plan.channel}: name the right file",
        )
    config = current(fetch(network))
    if change.sequence != config.sequence:
        raise NetworkError(
            "network.other-configuration",
            f"{file} changes configuration {change.sequence}, and the channel has number {config.sequence}: have it "
            "begun anew",
        )
    _check_known(network, config)
    if (change.plan, change.entries) != _after(network, change.kind, change.name, change.entry):
        raise altered(file)
    update = _update(network, config, change)
    return Looked(change, update, _signers(network, change, update, file), majority(config))


def _after(network: Network, kind: str, name: str, told: Entry | None) -> tuple[Plan, tuple[Entry, ...]]:
    """The network after such a change, by what this directory knows; `told`: by the member that joins or renews."""
    plan = structs.replace(network.plan, here="", contracts=())
    before = entries(network.layout, network.plan)
    if kind == "join" and told:
        joined = with_hospital(plan, Member(told.name, told.msp), told.host, told.port)
        check_apart([*before, told])
        return joined, (*before, told)
    member = plan.find(name)
    if member.kind != "hospital":
        raise NetworkError("network.no-node", f"{name} runs nothing in this network: name one of its hospitals")
    if kind == "renew" and told:
        known = next(each for each in before if each.name == name)
        new = structs.replace(known, orderer=told.orderer, orderer_tls=told.orderer_tls, revoked=told.revoked)
        return plan, tuple(new if each is known else each for each in before)
    return without(plan, member), tuple(each for each in before if each.name != name)


def _check_known(network: Network, config: Any) -> None:
    """Refuse to judge a configuration of which this directory has not taken note: `network.behind`."""
    if difference(network, config, group(entries(network.layout, network.plan), network.plan)) is not None:
        raise NetworkError(
            "network.behind",
            f"the channel's configuration, number {config.sequence}, is not what {network.layout.directory} knows: "
            "covenant network apply the last change that the others have made",
        )


def _update(network: Network, config: Any, change: Change) -> bytes:
    update = difference(network, config, group(change.entries, change.plan))
    if update is None:
        raise NetworkError(
            "network.nothing-to-change",
            f"the channel says of {change.name} what it shall say: covenant network apply the change that did it",
        )
    return update


def _signed(network: Network, change: Change, update: bytes) -> Change:
    made = sign(Identity.load(network.layout.admin(network.first)), update)
    signature = Signature(header=made.signature_header.hex(), signature=made.signature.hex())
    return structs.replace(change, signatures=(*change.signatures, signature))


def _signers(network: Network, change: Change, update: bytes, file: Path) -> list[str]:
    """Which hospitals' administrators have signed, by name. Raises NetworkError `network.altered`."""
    names = {each.msp: each.name for each in network.plan.hospitals}
    told = entries(network.layout, network.plan)
    validator = Validator({each.msp: _msp(each) for each in told if each.msp in names})
    found: list[str] = []
    for each in change.signatures:
        try:
            made = each.to_fabric()
            header = exact.read(common_pb2.SignatureHeader, made.signature_header, "signature's header")
            message = made.signature_header + update
            signer = validator.verify(header.creator, made.signature, message, time.time()).signer
        except (LedgerError, ValueError):
            raise altered(file) from None
        if signer.ou != "admin" or names[signer.msp_id] in found:
            raise altered(file)
        found.append(names[signer.msp_id])
    return found


def _stands(network: Network, change: Change) -> bool:
    """Whether the channel's configuration is the one that `change` makes."""
    return _says(network, current(fetch(network)), change)


def _of_others(network: Network, what: str) -> Path:
    """A block from the first of the other hospitals' orderers that gives it; the last one's refusal where none does."""
    last = len(network.plan.hospitals) - 1
    for turn in range(1, last):  # from here there is one, which comes first
        with suppress(NetworkError):
            return fetch(network, turn, what, 0)
    return fetch(network, last, what, 0)


def _says(network: Network, config: Any, change: Change) -> bool:
    return difference(network, config, group(change.entries, change.plan)) is None


def _noted(network: Network, change: Change, file: Path) -> Plan:
    """Write down what the channel says by now. Raises NetworkError `network.altered` where the file calls members by
    other names than this directory does.
    """
    layout, here = network.layout, network.plan.here
    if not {*network.plan.organisations, *network.plan.left} <= {*change.plan.organisations, *change.plan.left}:
        raise altered(file)
    for each in change.entries:
        if each.name != here:
            write(layout, each)
    plan = structs.replace(change.plan, here=here, contracts=network.plan.contracts)
    noted = Network(layout, plan, network.programs)
    own = next(each for each in change.entries if each.name == here)
    if layout.renewal(plan.find(here)).exists() and renewal.renewed(layout, plan.find(here)) == own:
        renewal.install(noted, plan.find(here))
    files.write(layout.member(here), canonical.encode(own))
    layout.write(plan)
    return plan


def _check_one_members(network: Network) -> None:
    """Refuse where all members' keys are in one directory: `network.all-here`."""
    if not network.plan.here:
        raise NetworkError(
            "network.all-here",
            f"{network.layout.directory} holds every member's keys: covenant network join, leave and renew do there at "
            "once what members with a directory each sign",
        )


def _change(network: Network, file: Path) -> Change:
    _check_one_members(network)
    change = read_change(file)
    if (change.entry is None) != (change.kind == "leave"):
        raise altered(file)
    _settings(network)
    return change


def _settings(network: Network) -> None:
    """Fabric's `peer` asks by a peer's settings, which are there once one has started; an institute has none."""
    own = network.plan.find(network.plan.here)
    if not (network.layout.folder(own) / "peer" / "core.yaml").exists():
        Node(network.layout, network.plan, own).configure("peer", "core.yaml")


def _msp(told: Entry) -> MspConfig:
    revoked = (told.revoked.encode(),) if told.revoked else ()
    return MspConfig(told.msp, (told.ca.encode(),), revoked, (told.tls_ca.encode(),))


def _not_joined(file: Path, why: str) -> NetworkError:
    return NetworkError(
        "network.not-joined",
        f"the channel does not say what {file} says ({why}): one of the members gives covenant network apply, and "
        "sends you the file that enough have signed",
    )
