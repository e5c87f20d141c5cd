"""Privacy, spent like money: a hospital's account, the end of a reservation, and the answers to counting questions.

State, beside `accounts` and `reservations`: `budget/count/<dataset>/<version>/<purpose digest>/<month>` -> CountAnswer,
`budget/counts/<dataset>/<month>` -> Counter.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from consent import periods
from consent.canonical import Document
from ledger.contracts import access, accounts, catalogue, exposure, plans, rdp, reservations
from ledger.contracts import study as studies
from ledger.contracts.accounts import Account, CountsAccount
from ledger.contracts.constitution import COUNTS_PER_MONTH, MAX_COUNTS_EPSILON, MIN_SIGMA
from ledger.contracts.exposure import Exposure
from ledger.contracts.fields import Count, DatasetId, DecimalText, Digest, Month, Msp, Positive, Seconds, Signed, Uuid
from ledger.contracts.functions import Contract, Role, query, transaction
from ledger.contracts.reservations import Reservation
from ledger.contracts.state import Ledger, agree
from ledger.contracts.study import Plan
from ledger.errors import Refused

Hospitals = Annotated[tuple[Msp, ...], Meta(min_length=1, max_length=64)]


class AccountView(Account, frozen=True):
    """An account with its epsilons, as decimal strings.

    `epsilon_reserved`: spent and promised together. `epsilon_exposure`: the same, of this hospital and of all others
    whose patients may be its own; the cap bounds this one.
    """

    epsilon_spent: str
    epsilon_reserved: str
    epsilon_exposure: str


class Quote(Document, frozen=True):
    """What approvals of a plan would do to a hospital: epsilons, spent and promised together, before and after.

    `epsilon_*`: of its own account. `exposure_*`: of its patients, wherever they were; the cap bounds this one.
    `delta`: the smaller one of the account's and the plan's, at which the cap is checked.
    """

    hospital: str
    cap: str
    delta: str
    epsilon_before: str
    epsilon_after: str
    exposure_before: str
    exposure_after: str


class CountAnswer(Document, frozen=True):
    """The one answer to a question. `answer`: the noised count, or null. `charged`: it was spent."""

    dataset: str
    version: int
    purpose_digest: Digest
    month: Month
    sigma: DecimalText
    answer: Signed | None
    charged: bool
    answered: Seconds


class Counter(Document, frozen=True):
    """How many answers of a lineage root (`dataset`) were charged in a month."""

    dataset: str
    month: Month
    answers: Count


class Budget(Contract):
    """Reserve (`studies:Approve`), spend (`studies:Update`, `studies:Measure`), release: never over the cap."""

    name = "budget"

    @transaction(role=Role.STEWARD, event="budget.opened")
    def open(self, ledger: Ledger, *, cap: DecimalText, delta: DecimalText) -> Account:
        """Open the one account of the caller's hospital: `cap` is an epsilon at the fixed `delta`.

        Refuses `budget.cap`, `budget.delta`, `budget.known-differently` (a cap changes by an executed proposal only),
        `budget.over-cap` (what happened at hospitals whose patients may be its own is more than that already).
        """
        accounts.check_cap(cap)
        accounts.check_delta(delta)
        hospital = ledger.creator.organisation
        nothing = rdp.written(rdp.NOTHING)
        offered = Account(hospital=hospital, cap=cap, delta=delta, spent=nothing, reserved=nothing)
        if standing := ledger.find(accounts.key(hospital), Account):
            agree(standing, offered, "budget.known-differently", "spent", "reserved")
            return standing
        exposure.check(offered, exposure.of(ledger, hospital), delta)
        ledger.put(accounts.key(hospital), offered)
        return offered

    @transaction(role=(Role.SITE, Role.STEWARD), event="budget.released")
    def release(self, ledger: Ledger, *, study: Uuid) -> Reservation:
        """Give back what a finished or stopped study has not spent at the caller's hospital.

        Refuses `studies.unknown`, `studies.wrong-status`, `budget.no-reservation`, `budget.no-account`.
        """
        standing = studies.require(ledger, study)
        hospital = ledger.creator.organisation
        reservation = ledger.find(reservations.key(hospital, study), Reservation)
        if reservation is None:
            raise Refused("budget.no-reservation", "this hospital has promised nothing to the study", study=study)
        if reservation.status == "released":
            return reservation
        studies.require_status(standing, "released", "stopped")
        return reservations.release(ledger, standing, reservation)

    @transaction(role=Role.SITE, event="budget.answered")
    def answer(
        self,
        ledger: Ledger,
        *,
        dataset: DatasetId,
        version: Positive,
        purpose_digest: Digest,
        month: Month,
        sigma: DecimalText,
        answer: Signed | None,
    ) -> CountAnswer:
        """Give the one fixed answer to a counting question: a count with noise of `sigma`, or null ("not shown").

        An answer is charged to the hospital's sub-account, which all of its data sets share since a patient may be in
        each, null as well (a null below the threshold tells something); once the month's 20 answers of the lineage root
        or the sub-account are used up, only null is accepted, and it costs nothing.
        Refuses `catalogue.not-owner`, `access.inquiry-unknown`, `budget.sigma`, `catalogue.unknown`,
        `budget.known-differently`, `budget.month`, `budget.no-account`, `budget.counts-exhausted`.
        """
        hospital = catalogue.require_owner(ledger, dataset)
        inquiry = ledger.find(access.inquiry_key(dataset, version, purpose_digest, month), access.Inquiry)
        if inquiry is None:
            raise Refused("access.inquiry-unknown", "nobody has asked this in that month", dataset=dataset, month=month)
        if Decimal(sigma) < MIN_SIGMA:
            raise Refused("budget.sigma", f"noise below {MIN_SIGMA} protects nobody", sigma=sigma)
        key = f"budget/count/{dataset}/{version}/{purpose_digest}/{month}"
        lineage = catalogue.require(ledger, dataset, version).lineage
        charge = affordable(ledger, lineage, hospital, month, sigma)
        offered = CountAnswer(
            dataset=dataset,
            version=version,
            purpose_digest=purpose_digest,
            month=month,
            sigma=sigma,
            answer=answer,
            charged=charge is not None,
            answered=ledger.now,
        )
        if standing := ledger.find(key, CountAnswer):
            agree(standing, offered, "budget.known-differently", "charged", "answered")
            return standing
        if month != periods.month_of(ledger.now):
            raise Refused(
                "budget.month", "a question is answered in the month it was asked in, or not at all", month=month
            )
        if charge is None and answer is not None:
            raise Refused(
                "budget.counts-exhausted",
                "no more counts of this data set this month: answer null",
                dataset=dataset,
                month=month,
            )
        if charge is not None:
            account, counter = charge
            ledger.put(accounts.counts_key(hospital), account)
            ledger.put(counter_key(lineage, month), counter)
        ledger.put(key, offered)
        return offered

    @query
    def account(self, ledger: Ledger, *, hospital: Msp) -> AccountView | None:
        """A hospital's account with its epsilons, or null."""
        account = ledger.find(accounts.key(hospital), Account)
        if account is None:
            return None
        spent, reserved = rdp.read(account.spent), rdp.read(account.reserved)
        fields = {name: getattr(account, name) for name in account.__struct_fields__}
        return AccountView(
            **fields,
            epsilon_spent=str(rdp.epsilon(spent, account.delta)),
            epsilon_reserved=str(rdp.epsilon(rdp.plus(spent, reserved), account.delta)),
            epsilon_exposure=str(rdp.epsilon(exposure.of(ledger, hospital), account.delta)),
        )

    @query
    def quote(self, ledger: Ledger, *, plan: Plan, approving: Hospitals) -> dict[str, Quote]:
        """What it would cost if the hospitals `approving` approved `plan`, with the arithmetic of `studies:Approve`.

        By MSP id: all with an account whose patients it may touch, whether the plan's or not.
        Refuses `studies.plan-sigma`, `studies.plan-q`, `studies.plan-clip`, `studies.plan-steps`, `studies.plan-delta`,
        `studies.plan-averaging`, `studies.not-a-site`, `budget.no-account`.
        """
        plans.check_mechanism(plan)
        if alien := sorted(set(approving).difference(plan.hospitals)):
            raise Refused("studies.not-a-site", "name hospitals that take part in the plan", hospitals=alien)
        growth = reservations.growth(ledger, plan, approving)
        return {one.account.hospital: quoted(one, plan) for one in exposure.grown(ledger, growth)}


def quoted(one: Exposure, plan: Plan) -> Quote:
    delta = min(one.account.delta, plan.privacy.delta, key=Decimal)
    return Quote(
        hospital=one.account.hospital,
        cap=one.account.cap,
        delta=delta,
        epsilon_before=str(rdp.epsilon(exposure.curve_of(one.account), delta)),
        epsilon_after=str(rdp.epsilon(one.own_after, delta)),
        exposure_before=str(rdp.epsilon(one.before, delta)),
        exposure_after=str(rdp.epsilon(one.after, delta)),
    )


def counter_key(dataset: str, month: str) -> str:
    return f"budget/counts/{dataset}/{month}"


def affordable(
    ledger: Ledger, dataset: str, hospital: str, month: str, sigma: str
) -> tuple[CountsAccount, Counter] | None:
    """Sub-account and counter after one more answer, or None where month or sub-account are used up.

    Refuses `budget.no-account`.
    """
    delta = accounts.require(ledger, hospital).delta
    counter = ledger.find(counter_key(dataset, month), Counter) or Counter(dataset=dataset, month=month, answers=0)
    account = ledger.find(accounts.counts_key(hospital), CountsAccount)
    before = rdp.NOTHING if account is None else rdp.read(account.spent)
    spent = rdp.plus(before, rdp.gaussian(sigma))
    if counter.answers >= COUNTS_PER_MONTH or rdp.epsilon(spent, delta) > Decimal(MAX_COUNTS_EPSILON):
        return None
    return CountsAccount(hospital=hospital, spent=rdp.written(spent)), Counter(
        dataset=dataset, month=month, answers=counter.answers + 1
    )
