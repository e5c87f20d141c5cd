"""One call of a Fabric program as a hospital's administrator, and what its refusal means.

`peer` and `osnadmin` are Fabric's own tools: what they do an operator can repeat by hand, and docs/operate/fabric.md
shows how.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.network.binaries import Binaries
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.plan import Organisation

SECONDS = 60.0
NOISE = re.compile(r"^(\x1b\[[0-9;]*m)?\d{4}-\d\d-\d\d \S+ \S+ ")


@dataclass(frozen=True, slots=True)
class Programs:
    """Fabric's programs in one network."""

    binaries: Binaries
    layout: Layout

    def peer(self, organisation: Organisation, *arguments: str, at: Organisation | None = None) -> str:
        """What `peer ARGUMENTS` prints, asked as `organisation`'s administrator of the peer of `at` (its own).

        Raises NetworkError `network.refused`, with what the peer said.
        """
        at = at or organisation
        tls = self.layout.client_tls(organisation)
        env = {
            "FABRIC_CFG_PATH": str(self.layout.folder(organisation) / "peer"),
            "FABRIC_LOGGING_SPEC": "ERROR",
            "CORE_PEER_ADDRESS": str(at.peer),
            "CORE_PEER_LOCALMSPID": organisation.msp,
            "CORE_PEER_MSPCONFIGPATH": str(self.layout.admin(organisation)),
            "CORE_PEER_TLS_ROOTCERT_FILE": str(self.layout.tls_ca(at)),
            "CORE_PEER_TLS_CLIENTCERT_FILE": str(tls / "server.pem"),
            "CORE_PEER_TLS_CLIENTKEY_FILE": str(tls / "server.key"),
        }
        return self._run("peer", arguments, env)

    def through(self, organisation: Organisation, orderer: Organisation) -> list[str]:
        """The options by which `peer` reaches the orderer of a hospital."""
        tls = self.layout.client_tls(organisation)
        return [
            *("--orderer", str(orderer.orderer), "--tls", "--cafile", str(self.layout.tls_ca(orderer))),
            *("--clientauth", "--certfile", str(tls / "server.pem"), "--keyfile", str(tls / "server.key")),
        ]

    def osnadmin(self, hospital: Organisation, *arguments: str) -> dict[str, Any]:
        """What the hospital's orderer answers to `osnadmin channel ARGUMENTS`: `status` and the answer's body.

        Raises NetworkError `network.refused`, `network.channel-exists`.
        """
        tls = self.layout.client_tls(hospital)
        said = self._run(
            "osnadmin",
            [
                *("channel", *arguments, "--orderer-address", str(hospital.address("orderer_admin"))),
                *("--ca-file", str(self.layout.tls_ca(hospital))),
                *("--client-cert", str(tls / "server.pem"), "--client-key", str(tls / "server.key")),
            ],
            {},
        )
        status, _, body = said.partition("\n")
        number = int(status.rpartition(" ")[2])
        answer: dict[str, Any] = json.loads(body) if body.strip() else {}
        if number == 405:
            raise NetworkError(
                "network.channel-exists",
                f"the orderer of {hospital.name} already has this channel: covenant network status shows it",
            )
        if number >= 300:
            raise NetworkError("network.refused", f"the orderer of {hospital.name}: {answer.get('error', status)}")
        return answer

    def configtxlator(self, *arguments: str) -> None:
        self._run("configtxlator", arguments, {})

    def _run(self, program: str, arguments: Sequence[str], env: dict[str, str]) -> str:
        command = [self.binaries.path(program), *arguments]
        try:
            said = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise NetworkError(
                "network.no-answer", f"{program} {arguments[0]} had no answer in {SECONDS:.0f} s: see the logs"
            ) from None
        if said.returncode:
            raise NetworkError("network.refused", f"{program}: {_reason(said.stderr or said.stdout)}")
        return said.stdout or said.stderr


def _reason(text: str) -> str:
    """The line of a program's complaint that names the cause."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error:")]
    chosen = errors[-1] if errors else lines[-1] if lines else "it said nothing"
    return NOISE.sub("", chosen).removeprefix("Error: ")[:500]
