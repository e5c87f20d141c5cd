"""Adding a hospital to a channel that runs, or taking one out: a configuration that the others' administrators sign.

One configuration update changes everything that counts hospitals: the organisation among peers and orderers, the
consenters, and with them every majority and the quorum on blocks. Each step can be repeated: a `join` or `leave` that
was cut off goes on where it stopped when the same command is given again.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from fabric_protos.common import common_pb2, configtx_pb2
from msgspec import structs

from ledger.identity import files
from ledger.identity.msp import Identity
from ledger.network import material, processes
from ledger.network.errors import NetworkError
from ledger.network.lifecycle import Deployment
from ledger.network.network import Network, channel_group, join_orderer, join_peer
from ledger.network.node import Node
from ledger.network.package import Package
from ledger.network.plan import STRIDE, Member, Organisation, Plan, check_port
from ledger.protocol.consortium import BFT, BFT_AT_LEAST
from ledger.protocol.exact import read, serialise

PATIENCE = 30.0  # seconds for a change of leader and a block
RESEND = 6.0  # seconds after which an update that was accepted, and is in no block, is sent again
AWAY = re.compile("SERVICE_UNAVAILABLE|failed to connect")  # an orderer that took nothing


def join(
    network: Network,
    member: Member,
    port: int | None = None,
    ca: Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Network:
    """Add the hospital `member`; the network with its new plan. `ca`: the folder of an authority that it has already.

    Raises NetworkError `network.member-exists`, `network.joining` (another one is half added), `network.port*`,
    `network.elsewhere`, `network.refused`.
    """
    network.whole(f"covenant network join {member.name} --file {member.name}.member.json begins a change that all sign")
    with network.layout.lock():
        network = _plan(network, member, port, ca)
        node = network.node(member.name)
        for part in ("orderer", "peer"):
            network.start([node], part)
        block = reconfigure(network, channel_group(network.layout, network.plan), tell)
        hospital = node.organisation
        enter(network, hospital, block)
        for contracts in network.plan.contracts:
            tell(f"Installing and approving {contracts.label}")
            Deployment(network, Package.of(Path(contracts.source)), contracts).adopt(node)
        network.await_known()
        return _written(network, structs.replace(network.plan, joining=""))


def leave(network: Network, name: str, tell: Callable[[str], None] = lambda text: None) -> Network:
    """Take the hospital `name` out of the channel and end its processes; its folder stays, for whoever audits it.

    Raises NetworkError `network.too-few`, `network.joining`, `network.no-node`, `network.unknown-organisation`,
    `network.elsewhere`, `network.refused`.
    """
    network.whole(f"covenant network leave {name} begins a change that all sign")
    with network.layout.lock():
        plan = network.plan
        if (gone := next((each for each in plan.left if each.name == name), None)) is None:
            gone = network.node(name).organisation
            network = Network(network.layout, without(plan, gone), network.programs)
        # where the channel refuses, nothing has changed
        reconfigure(network, channel_group(network.layout, network.plan), tell)
        network = _written(network, network.plan)
        network.stop([Node(network.layout, plan, gone)])
        return network


def with_hospital(plan: Plan, member: Member, host: str, port: int) -> Plan:
    """The plan with one hospital more. Raises NetworkError `network.member-exists`, `network.port`."""
    known = (*plan.organisations, *plan.left)
    if any(member.name == each.name or member.msp == each.msp for each in known):
        raise NetworkError(
            "network.member-exists", f"{member.name} ({member.msp}) is, or was, in this network: choose another name"
        )
    hospital = Organisation(
        name=member.name,
        msp=member.msp,
        kind="hospital",
        host=host,
        port=check_port(port),
        consenter=max(each.consenter for each in known) + 1,
        joined=True,
    )
    return structs.replace(plan, organisations=(*plan.organisations, hospital))


def without(plan: Plan, gone: Organisation) -> Plan:
    """The plan after the hospital `gone` has left. Raises NetworkError `network.joining`, `network.too-few`."""
    if plan.joining:
        raise half_added(plan)
    if len(plan.hospitals) <= (BFT_AT_LEAST if plan.ordering == BFT else 1):
        raise NetworkError(
            "network.too-few",
            f"a channel ordered by {plan.ordering} cannot do with fewer than these {len(plan.hospitals)} hospitals: "
            "let another one join first",
        )
    rest = tuple(each for each in plan.organisations if each != gone)
    return structs.replace(plan, organisations=rest, left=(*plan.left, gone))


def reconfigure(network: Network, group: Any, tell: Callable[[str], None] = lambda text: None) -> Path:
    """Make the channel's configuration what `group` (a ConfigGroup) says; its newest block's file."""
    fetched = fetch(network)
    config = current(fetched)
    if update := difference(network, config, group):
        voters = voting(network.plan)[: majority(config)]
        tell(f"Changing the channel's configuration, signed by {len(voters)} administrators")
        signatures = [sign(Identity.load(network.layout.admin(each)), update) for each in voters]
        fetched = send(network, update, signatures, config.sequence)
    return fetched


def majority(config: Any) -> int:
    """How many hospitals' administrators must sign a change of this Config."""
    return len(config.channel_group.groups["Orderer"].groups) // 2 + 1


def send(network: Network, update: bytes, signatures: Sequence[Any], sequence: int) -> Path:
    """Send the update; the newest configuration block once it is younger than `sequence`.

    An update is accepted before it is ordered, and lost where the leader changes in between, or where the orderer that
    took it has fallen behind: then it is sent again, and looked for, at the next one.
    """
    file = _file(network, "update.pb")
    files.write(file, _envelope(network.plan.channel, update, signatures))
    arguments = ("channel", "update", "--channelID", network.plan.channel, "--file", str(file))
    deadline, sent, turn = time.monotonic() + PATIENCE, False, 0
    while time.monotonic() < deadline:
        try:
            _through_any(network, *arguments, turn=turn)
            sent = True
        except NetworkError:
            if not sent:
                raise  # else perhaps because the one before stands by now
        again = time.monotonic() + RESEND
        while time.monotonic() < again:
            if current(fetched := fetch(network, turn)).sequence > sequence:
                return fetched
            time.sleep(0.2)
        turn += 1
    raise NetworkError(
        "network.no-answer", "the update was accepted and is in no block yet: give the same command again"
    )


def difference(network: Network, config: Any, group: Any) -> bytes | None:
    """The ConfigUpdate that turns `config` into what `group` says, the same bytes whoever asks; None where nothing
    differs.
    """
    wanted = configtx_pb2.Config(sequence=config.sequence, channel_group=group)
    original, updated, found = (_file(network, f"{name}.pb") for name in ("original", "updated", "difference"))
    files.write(original, serialise(config))
    files.write(updated, serialise(wanted))
    try:
        network.programs.configtxlator(
            *("compute_update", "--channel_id", network.plan.channel),
            *("--original", str(original), "--updated", str(updated), "--output", str(found)),
        )
    except NetworkError as error:
        if "no differences" in error.message:
            return None
        raise
    return serialise(read(configtx_pb2.ConfigUpdate, found.read_bytes(), "configuration update"))


def sign(admin: Identity, update: bytes) -> Any:
    """An administrator's ConfigSignature on `update`."""
    header = serialise(common_pb2.SignatureHeader(creator=admin.serialized, nonce=os.urandom(24)))
    return configtx_pb2.ConfigSignature(signature_header=header, signature=admin.sign(header + update))


def _envelope(channel: str, update: bytes, signatures: Sequence[Any]) -> bytes:
    body = configtx_pb2.ConfigUpdateEnvelope(config_update=update, signatures=signatures)
    header = serialise(common_pb2.ChannelHeader(type=common_pb2.CONFIG_UPDATE, channel_id=channel))
    payload = common_pb2.Payload(header={"channel_header": header}, data=serialise(body))
    return serialise(common_pb2.Envelope(payload=serialise(payload)))


def voting(plan: Plan) -> list[Organisation]:
    """Whose administrators may sign a change, those that stay first: of two hospitals the one that leaves must sign."""
    return [*(each for each in plan.hospitals if each.name != plan.joining), *reversed(plan.left)]


def fetch(network: Network, turn: int = 0, what: str = "config", patience: float = PATIENCE) -> Path:
    """The channel's newest configuration block, or the one that `what` names, in a file; `turn`: which orderer is asked
    first, `patience`: for how many seconds others are asked after it.
    """
    file = _file(network, f"{what}.block")
    _through_any(
        network,
        *("channel", "fetch", what, str(file), "--channelID", network.plan.channel),
        turn=turn,
        patience=patience,
    )
    return file


def _through_any(network: Network, *arguments: str, turn: int = 0, patience: float = PATIENCE) -> None:
    """What `peer` is asked, through one orderer after another until one takes it: some may be away, or choose a leader
    just now. Those that run from here come first. `turn`: how many are passed over at first.
    """
    deadline = time.monotonic() + patience
    by = network.speaker
    orderers = [each for each in network.plan.hospitals if each.name != network.plan.joining]
    orderers.sort(key=lambda each: each not in network.plan.ours)
    for orderer in islice(cycle(orderers), turn, None):
        try:
            network.programs.peer(by, *arguments, *network.programs.through(by, orderer))
            return
        except NetworkError as error:
            if time.monotonic() > deadline or not AWAY.search(error.message):
                raise
        time.sleep(0.5)


def current(block: Path) -> Any:
    """The Config in a configuration block."""
    first = read(common_pb2.Block, block.read_bytes(), "configuration block").data.data[0]
    payload = read(common_pb2.Payload, read(common_pb2.Envelope, first, "envelope").payload, "payload")
    return read(configtx_pb2.ConfigEnvelope, payload.data, "configuration").config


def has_channel(network: Network, hospital: Organisation) -> bool:
    """Whether the hospital's orderer knows the channel."""
    listed = network.programs.osnadmin(hospital, "list").get("channels") or []
    return network.plan.channel in {each["name"] for each in listed}


def half_added(plan: Plan) -> NetworkError:
    return NetworkError(
        "network.joining", f"{plan.joining} is half added: finish with `covenant network join {plan.joining}`"
    )


def _plan(network: Network, member: Member, port: int | None, ca: Path | None) -> Network:
    """The network whose plan names the hospital that joins, its keys made; as it is where this was done before."""
    plan, layout = network.plan, network.layout
    if plan.joining == member.name:
        return network
    if plan.joining:
        raise half_added(plan)
    last = max((*plan.organisations, *plan.left), key=lambda each: each.port)
    plan = with_hospital(plan, member, last.host, last.port + STRIDE if port is None else port)
    hospital = plan.find(member.name)
    Node(layout, plan, hospital).check_ports()
    processes.stop(Node(layout, plan, hospital).processes)
    shutil.rmtree(layout.folder(hospital), ignore_errors=True)
    material.create(layout, hospital, ca)
    return _written(network, structs.replace(plan, joining=hospital.name))


def enter(network: Network, hospital: Organisation, block: Path) -> None:
    """Let the hospital's orderer and peer take part in the channel, unless they do; `block`: a configuration block."""
    if not has_channel(network, hospital):
        join_orderer(network.programs, network.plan.channel, hospital, block)
    try:
        join_peer(network.programs, hospital)
    except NetworkError as error:
        if error.code != "network.channel-exists":
            raise


def _written(network: Network, plan: Plan) -> Network:
    network.layout.write(plan)
    return Network(network.layout, plan, network.programs)


def _file(network: Network, name: str) -> Path:
    network.layout.configuration.mkdir(exist_ok=True)
    return network.layout.configuration / name
