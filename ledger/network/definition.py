"""What a hospital's peer says of the contracts' definition: which stands, which packages it has, what it approved."""

from __future__ import annotations

import json
from typing import Any

from ledger.network.errors import NetworkError
from ledger.network.network import Network
from ledger.network.package import Package
from ledger.network.plan import CHAINCODE, Organisation


def committed(network: Network, organisation: Organisation) -> dict[str, Any] | None:
    """What `organisation`'s peer says of the contracts' definition: `version`, `sequence`; None before the first."""
    try:
        said = network.programs.peer(
            network.asking(organisation),
            *("lifecycle", "chaincode", "querycommitted", "--channelID", network.plan.channel),
            *("--name", CHAINCODE, "--output", "json"),
            at=organisation,
        )
    except NetworkError as error:
        if "not defined" in error.message:
            return None
        raise
    answer: dict[str, Any] = json.loads(said)
    return answer


def installed(network: Network, organisation: Organisation) -> set[str]:
    """The package ids that `organisation`'s peer knows."""
    said = network.programs.peer(organisation, "lifecycle", "chaincode", "queryinstalled", "--output", "json")
    return {each["package_id"] for each in json.loads(said).get("installed_chaincodes", [])}


def runs(network: Network, organisation: Organisation, package: Package) -> bool:
    """Whether `organisation`'s peer has the definition of `package`."""
    standing = committed(network, organisation)
    return standing is not None and standing["version"] == package.digest


def approval(network: Network, organisation: Organisation, sequence: int) -> str | None:
    """The id of the package that `organisation` approved as definition number `sequence`, if it has."""
    try:
        said = network.programs.peer(
            organisation,
            *("lifecycle", "chaincode", "queryapproved", "--channelID", network.plan.channel),
            *("--name", CHAINCODE, "--sequence", str(sequence), "--output", "json"),
        )
    except NetworkError as error:
        if "could not fetch approved chaincode definition" in error.message:
            return None
        raise
    answer: dict[str, Any] = json.loads(said)
    package: str = answer["source"]["Type"]["LocalPackage"]["package_id"]
    return package
