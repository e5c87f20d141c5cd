"""What is wrong with a network, and the command that mends it: keys, processes, reach, clocks, versions, contracts,
and what these answer.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ledger.identity import files
from ledger.network import answers, material
from ledger.network.definition import committed
from ledger.network.errors import NetworkError
from ledger.network.network import Network, together
from ledger.network.node import Node
from ledger.network.operations import UNHEARD, Answer, ask, ask_host, leader, reach
from ledger.network.plan import Organisation
from ledger.protocol.consortium import BFT

SOON = timedelta(days=30)
SKEW = 5.0  # seconds; the contracts' hosts refuse at 300
SETTLING = 10.0  # seconds in which the orderers agree on a new leader, or one that starts follows it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `state`: ok, warning (it will fail later) or broken. `mend`: what to do, or empty."""

    name: str
    state: str
    detail: str
    mend: str = ""


def examine(network: Network) -> list[Finding]:
    """Everything, one hospital after another; the hospitals are asked at the same time."""
    findings = [each for node in together(lambda node: list(_node(network, node)), network.nodes) for each in node]
    institutes = [each for each in network.plan.institutes if network.plan.here in ("", each.name)]
    findings += [each for institute in institutes for each in _material(network, institute)]
    if network.nodes:
        findings += [*_elsewhere(network), *_orderers(network), *_contracts(network)]
        findings += _answers(network, findings)
    return findings


def healthy(findings: list[Finding]) -> bool:
    return all(finding.state != "broken" for finding in findings)


def _node(network: Network, node: Node) -> Iterator[Finding]:
    organisation = node.organisation
    yield from _material(network, organisation)
    start = f"covenant network start {organisation.name}"
    for process in node.processes:
        if process.pid is None:
            yield Finding(process.name, "broken", f"does not run; its last words: {process.last_words()}", start)
    for part in ("orderer", "peer"):
        name = f"{organisation.name}.{part}"
        address = organisation.address(f"{part}_operations")
        try:
            answer = ask(network, organisation, address)
        except UNHEARD as error:
            yield Finding(name, "broken", f"no answer at {address}: {error}", start)
            continue
        yield _version(name, answer, network.programs.binaries.version)
        yield from _clock(name, answer.skew)
    for contracts in node.contracts:
        name, address = node.host(contracts).name, organisation.address(f"host_{contracts.slot}_metrics")
        try:
            yield from _clock(name, ask_host(address))
        except UNHEARD as error:
            yield Finding(name, "broken", f"no answer at {address}: {error}", start)


def _elsewhere(network: Network) -> Iterator[Finding]:
    """Whether the orderers of the hospitals that run from directories of their own can be reached; their peers are
    asked for the contracts' definition.
    """
    for each in network.plan.hospitals:
        if each not in network.plan.ours:
            try:
                reach(network, each, each.orderer)
            except OSError as error:
                detail = f"no answer at {each.orderer}: {error}"
                yield Finding(f"{each.name}.orderer", "broken", detail, _start(network, each))


def _start(network: Network, hospital: Organisation) -> str:
    return _there(network, hospital, f"covenant network start {hospital.name}")


def _there(network: Network, hospital: Organisation, command: str) -> str:
    """`command`, and where it must be given."""
    return command if hospital in network.plan.ours else f"at {hospital.name}: {command}"


def _clock(name: str, skew: float) -> Iterator[Finding]:
    if abs(skew) > SKEW:
        ahead = "ahead of" if skew < 0 else "behind"
        yield Finding(name, "broken", f"its clock is {abs(skew):.0f} s {ahead} ours", "set both clocks by NTP")


def _version(name: str, answer: Answer, ours: str) -> Finding:
    if answer.version == ours:
        return Finding(name, "ok", f"runs {answer.version}")
    hospital = name.split(".", maxsplit=1)[0]
    return Finding(
        name,
        "warning",
        f"runs {answer.version}, and the programs here are {ours}",
        f"covenant network stop {hospital} && covenant network start {hospital}",
    )


def _material(network: Network, organisation: Organisation) -> Iterator[Finding]:
    name = f"{organisation.name}.keys"
    try:
        material.check(network.layout, organisation)
    except NetworkError as error:
        what, _, mend = error.message.partition(": ")
        yield Finding(name, "broken", f"{error.code}: {what}", mend)
        return
    ends = {
        pem: files.certificate(pem).not_valid_after_utc for pem in material.certificates(network.layout, organisation)
    }
    first = min(ends, key=lambda pem: ends[pem])
    detail = f"{first} is the first to expire, on {ends[first]:%d %B %Y}"
    if ends[first] - datetime.now(UTC) < SOON:
        yield Finding(name, "warning", detail, f"covenant network renew {organisation.name}")
    else:
        yield Finding(name, "ok", detail)


def _orderers(network: Network) -> Iterator[Finding]:
    """Whether all orderers that answer follow one leader: one that does not is no help when another fails."""
    deadline = time.monotonic() + SETTLING
    while strays := _strays(network):
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)  # a leader may be changing
    for name in strays:
        yield Finding(
            f"{name}.orderer",
            "broken",
            "follows another leader than most orderers do, or none",
            f"covenant network stop {name} && covenant network start {name}",
        )


def _strays(network: Network) -> list[str]:
    """The hospitals whose orderers answer, and follow another leader than most do."""
    followed: dict[str, int | None] = {}
    for each in network.plan.hospitals:
        with suppress(*UNHEARD):  # that is a finding of its own
            followed[each.name] = leader(network, each)
    most = Counter(followed.values()).most_common(1)
    leading = most[0][0] if most else None
    none = network.plan.ordering == BFT and leading is None
    return [name for name, number in followed.items() if none or number != leading]


def _contracts(network: Network) -> Iterator[Finding]:
    """Whether every hospital's peer has the same definition."""
    found: dict[str, str] = {}
    for each in network.plan.hospitals:
        try:
            definition = committed(network, each)
        except NetworkError as error:
            yield Finding(f"{each.name}.contracts", "broken", error.message, _start(network, each))
            continue
        found[each.name] = definition["version"][:12] if definition else ""
    versions = set(found.values())
    if versions == {""}:
        yield Finding("contracts", "broken", "no contracts are deployed", "covenant network deploy")
    elif len(versions) > 1:
        listed = ", ".join(f"{name}: {version or 'none'}" for name, version in found.items())
        yield Finding("contracts", "broken", f"peers see different definitions ({listed})", "covenant network logs ORG")
    elif versions:
        for node in network.nodes:
            if not any(each.committed for each in node.contracts):
                yield _unnoticed(node, versions)
        yield Finding("contracts", "ok", f"every peer that answers runs {versions.pop()}")


def _unnoticed(node: Node, versions: Set[str]) -> Finding:
    """A hospital of whose hosts none is known to be that of the definition that stands."""
    name, coming = f"{node.organisation.name}.contracts", node.plan.coming
    if coming in node.contracts and coming.label.rpartition("_")[2] in versions:
        return Finding(name, "warning", "what it approved stands by now", "covenant network commit")
    mend = f"covenant network approve {node.organisation.name}"
    return Finding(name, "broken", "it has not approved what the others run", mend)


def _answers(network: Network, findings: list[Finding]) -> Iterator[Finding]:
    """Whether every hospital's contracts answer alike; one of which something is known to be broken is not asked."""
    broken = {each.name.partition(".")[0] for each in findings if each.state == "broken"}
    idle = {node.organisation.name for node in network.nodes if not any(each.committed for each in node.contracts)}
    asked = [each for each in network.plan.hospitals if each.name not in broken | idle]
    for each in answers.differing(network, asked):
        again = f"covenant network stop {each.name} --part host && covenant network start {each.name}"
        detail = "its contracts answer otherwise than most hospitals': it runs other code, or holds another state"
        yield Finding(f"{each.name}.answers", "broken", detail, _there(network, each, again))
