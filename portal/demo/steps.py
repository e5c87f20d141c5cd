"""The main job, step by step. Each step may be run again: what stands on the ledger or in a store is left as it is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from typing import Any

from portal.demo.authenticator import Passkey
from portal.demo.browser import Visitor
from portal.demo.consortium import founding_organisations
from portal.demo.layout import HOSPITALS, Choices, Layout, port_of, write, write_json
from portal.demo.shell import Shells
from portal.demo.watch import Watch
from portal.errors import PortalError
from training.site.heart import write_hospital_csvs

WITHDRAWING = "patient2"  # at the first hospital; patient1 is left for the visitor
PATIENTS = {HOSPITALS[0].name: 2}
SOURCES = {"cleveland": "cleveland", "hungary": "hungary", "switzerland": "switzerland", "longbeach": "va-long-beach"}
STUDY_SECONDS = 900


class Steps:
    """The steps of one demo. `tell` takes a line for whoever watches; `check` raises where waiting is in vain."""

    def __init__(  # noqa: PLR0917  # one who makes it passes all
        self,
        layout: Layout,
        choices: Choices,
        shells: Shells,
        watch: Watch,
        tell: Callable[[str], None],
        check: Callable[[], None],
    ) -> None:
        self.layout, self.choices, self.shells, self.watch = layout, choices, shells, watch
        self.tell, self.check = tell, check

    def in_order(self) -> list[tuple[str, Callable[[], None]]]:
        """Name and function of each step before the rounds begin."""
        return [
            ("accounts", self.accounts),
            ("consortium", self.consortium),
            ("data sets", self.data_sets),
            ("consent", self.consent),
            ("access", self.access),
            ("plan", self.plan),
        ]

    def accounts(self) -> None:
        """Passwords are made anew until the first run is through, then kept, for this user alone, in personas.json."""
        if self.personas_file.exists():
            return
        people = {"hub": self.shells.ask("hub", "open_doors"), **self.shells.ask_hospitals("open_doors")}
        write_json(self.personas_file, people)

    def consortium(self) -> None:
        first, proposal = HOSPITALS[0].name, self.choices.proposal
        self.shells.ask(first, "found", organisations=founding_organisations(self.choices.port))
        hospitals = [site.msp for site in HOSPITALS]
        self.shells.ask(first, "propose_disjoint", proposal=proposal, hospitals=hospitals)
        self.shells.ask_hospitals("vote", proposal=proposal)
        self.shells.ask(first, "execute", proposal=proposal)
        self.tell("five organisations; a proposal of four yes votes declares their patients disjoint")

    def data_sets(self) -> None:
        exported = write_hospital_csvs(self.layout.directory / "exports")
        for site in HOSPITALS:
            records = self.layout.node(site) / "data" / "records"
            records.mkdir(parents=True, exist_ok=True)
            copyfile(exported[SOURCES[site.name]], records / "heart.csv")
        found = self.shells.ask_hospitals("register", seed=self.choices.seed)
        self.tell(
            f"four data sets, {sum(one['patients'] for one in found.values())} patients, registered by their roots"
        )

    def consent(self) -> None:
        found = self.shells.ask_hospitals("enrol", seed=self.choices.seed)
        grants, patients = (sum(one[name] for one in found.values()) for name in ("grants", "patients"))
        self.tell(f"{grants} of {patients} patients signed a consent; some have withdrawn again")
        people = self.personas()
        for name, count in PATIENTS.items():
            if "patient1" not in people[name]:
                people[name] |= self.shells.ask(name, "personas", count=count, seed=self.choices.seed)
        write_json(self.personas_file, people)
        self.passkey()

    def passkey(self) -> None:
        """One patient sets up a passkey and signs with it on the portal's pages; a program stands for the phone."""
        hospital = HOSPITALS[0]
        if self.shells.ask(hospital.name, "signed_with", username=WITHDRAWING) == "passkey":
            return
        with self.visit() as visitor, self.phone() as device:
            if not self.shells.ask(hospital.name, "has_passkey", username=WITHDRAWING):
                visitor.send("/consent/passkey/", {}, device.made)
            grant = self.shells.ask(hospital.name, "grant_of", username=WITHDRAWING)
            visitor.send(f"/consent/{grant}/sign/", {}, device.answer)
        self.shells.ask(hospital.name, "await_signed", username=WITHDRAWING)
        self.tell(f"{WITHDRAWING} of {hospital.title} signed with a passkey (made by a program, in a phone's place)")

    @contextmanager
    def phone(self) -> Iterator[Passkey]:
        """The patient's passkey, kept in a file of the demo's owner between runs, with its counter."""
        hospital, file = HOSPITALS[0], self.layout.directory / "passkey.json"
        kept = json.loads(file.read_text()) if file.exists() else {}
        address = self.layout.address(hospital, self.choices.port)
        device = Passkey.kept(f"{hospital.name}.localhost", address, kept)
        write_json(file, device.keep())
        yield device
        write_json(file, device.keep())

    def access(self) -> None:
        self.shells.ask("hub", "inquire", hospitals=len(HOSPITALS))
        self.shells.ask("hub", "request", request=self.choices.request, hospitals=len(HOSPITALS))
        self.shells.ask_hospitals("decide", request=self.choices.request)
        self.tell("a researcher's request for heart disease research, permitted by each hospital's steward")

    def plan(self) -> None:
        chosen = self.choices
        privacy = self.shells.ask(
            "hub",
            "plan",
            study=chosen.study,
            request=chosen.request,
            hospitals=len(HOSPITALS),
            epsilon=chosen.epsilon,
            rounds=chosen.rounds,
            seed=chosen.seed,
        )
        self.shells.ask_hospitals("approve", study=chosen.study)
        self.shells.ask("hub", "approved", study=chosen.study, hospitals=len(HOSPITALS))
        self.tell(
            f"plan pinned and approved: sigma {privacy['sigma']}, q {privacy['q']}, {privacy['steps']} steps a round, "
            f"delta {privacy['delta']}; budget reserved at four hospitals"
        )

    def rounds(self) -> None:
        """Run the study; in the middle one patient withdraws through the hospital's portal."""
        self.shells.rest()
        self.shells.ask("hub", "answers", hospitals=len(HOSPITALS))  # a worker that answers has loaded its libraries
        if not self.withdrawal_mark.exists():
            self.shells.ask("hub", "start", study=self.choices.study, hold_after=self.choices.rounds // 3)
            self.wait(lambda: self.state() == "held")
            self.withdraw()
            self.shells.rest()
        self.shells.ask("hub", "start", study=self.choices.study)
        self.wait(lambda: self.watch.released)
        self.shells.rest()

    def wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STUDY_SECONDS
        while not until():
            self.check()
            if self.state() == "failed" or self.watch.stopped:
                run = self.shells.ask("hub", "run_state", study=self.choices.study)
                raise PortalError("demo.study-stopped", f"the study stopped: {run['reason']} {run['message']}")
            if time.monotonic() > deadline:
                raise PortalError(
                    "demo.study-slow", f"the study did not finish in {STUDY_SECONDS} s; run the same command again"
                )
            time.sleep(0.2)

    def withdraw(self) -> None:
        """The patient signs in, opens the consent and withdraws it with the passkey: the portal's form, over HTTP."""
        hospital = HOSPITALS[0]
        grant = self.shells.ask(hospital.name, "grant_of", username=WITHDRAWING)
        with self.visit() as visitor, self.phone() as device:
            visitor.send(f"/consent/{grant}/withdraw/", {}, device.answer)
        self.shells.ask(hospital.name, "await_withdrawn", grant=grant)
        write_json(self.withdrawal_mark, {"after_round": self.watch.closed})
        self.tell(f"after round {self.watch.closed} a patient of {hospital.title} withdrew in the portal")

    def state(self) -> str:
        found: str = self.shells.ask("hub", "run_state", study=self.choices.study)["state"]
        return found

    @property
    def withdrawal_mark(self) -> Path:
        return self.layout.marks / "withdrawal.json"

    def visit(self) -> Visitor:
        hospital = HOSPITALS[0]
        visitor = Visitor(f"{hospital.name}.localhost", port_of(hospital, self.choices.port))
        visitor.log_in(WITHDRAWING, self.personas()[hospital.name][WITHDRAWING])
        return visitor

    def proofs(self) -> dict[str, int]:
        """Download the withdrawn patient's receipt and proofs from the portal; returns the rounds they are about."""
        hospital, study = HOSPITALS[0].name, self.choices.study
        grant = self.shells.ask(hospital, "grant_of", username=WITHDRAWING)
        trained = self.shells.ask(hospital, "rounds_of", username=WITHDRAWING, study=study)
        if not trained or trained[-1] >= self.choices.rounds:
            raise PortalError(
                "demo.no-withdrawal", "the patient was in no round, or in the last one: nothing would be proven"
            )
        about = {"round_in": trained[-1], "round_out": trained[-1] + 1}
        with self.visit() as visitor:
            write(self.layout.out / "receipt.json", visitor.get(f"/consent/{grant}/receipt.json").content)
            for name, number in (("proof-in.json", about["round_in"]), ("proof-out.json", about["round_out"])):
                proof = visitor.get(f"/consent/uses/{study}/{number}/proof.json").content
                write(self.layout.out / name, proof)
        return about

    def settled(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many patients trained in the last round, and how many there are, by hospital, once each has followed the
        ledger to the release: shown to the demo's owner, who owns all four. One hospital after the other: all workers
        hold the most now.
        """
        cohorts, patients = dict[str, int](), dict[str, int]()
        for site in HOSPITALS:
            self.shells.ask(site.name, "settle", study=self.choices.study)
            cohorts[site.name] = self.shells.ask(site.name, "cohort_size", study=self.choices.study)
            patients[site.name] = self.shells.ask(site.name, "patient_count")
            self.shells.rest()
        return cohorts, patients

    @property
    def personas_file(self) -> Path:
        return self.layout.directory / "personas.json"

    def personas(self) -> dict[str, Any]:
        people: dict[str, Any] = json.loads(self.personas_file.read_text())
        return people
