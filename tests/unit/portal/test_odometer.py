"""The account that gates and the events that are reported are one history, whoever reads it, from whatever copy."""

from __future__ import annotations

import json
from contextlib import nullcontext
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from consent import canonical
from consent.errors import CovenantError
from ledger.contracts import rdp
from ledger.contracts.accounts import Account
from ledger.verify import verify
from portal import budget_cli, forecast, odometer
from portal.errors import PortalError
from portal.forecast import Draft
from portal.records import Served, Verified
from tests.support.forged_world import ForgedWorld
from training.federation.studies import Entry
from training.privacy.accountants import rdp_epsilon, reported_epsilon
from training.privacy.events import Gaussian, PoissonSampledGaussian

ALPHA, BETA = "AlphaMSP", "BetaMSP"
STEP, COUNT = PoissonSampledGaussian(2.0, 0.2, 2), Gaussian(20.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two studies: one run to its end, one approved. Nobody but their reservations tells them apart from one."""
    world = ForgedWorld(tmp_path_factory.mktemp("world"))
    world.everybody_consents()
    world.runner().run(world.study(1))
    world.study(2)
    return world


@pytest.fixture(scope="module")
def standing(world):
    return odometer.standings(world.view)


def test_what_was_spent_is_told_event_by_event(standing):
    alpha = standing[ALPHA]
    assert alpha.spent.events == (STEP, STEP, COUNT)
    assert float(alpha.spent.gated("0.0001")) == pytest.approx(rdp_epsilon(alpha.spent.events, 1e-4), abs=2e-6)
    assert alpha.spent.reported("0.0001") == reported_epsilon([STEP, STEP, COUNT], 1e-4)
    assert 0 < alpha.spent.reported("0.0001") < alpha.spent.gated("0.0001")


def test_what_is_promised_is_what_is_not_spent_yet(standing):
    """Of the first study two spare attempts, until it is settled; of the second all four attempts and the counts."""
    assert standing[ALPHA].reserved.events == (
        PoissonSampledGaussian(2.0, 0.2, 4),
        PoissonSampledGaussian(2.0, 0.2, 8),
        COUNT,
    )


def test_hospitals_set_apart_do_not_see_each_other(standing):
    assert standing[ALPHA].elsewhere == odometer.Cost()
    assert standing[ALPHA].exposure.curve == rdp.plus(standing[ALPHA].spent.curve, standing[ALPHA].reserved.curve)


def test_hospitals_that_may_share_patients_see_each_other(world, standing, monkeypatch):
    monkeypatch.delitem(world.ledger.state, "budget/disjoint")
    found = odometer.standings(world.view)
    assert found[ALPHA].elsewhere.events == standing[BETA].spent.events + standing[BETA].reserved.events
    assert found[ALPHA].exposure.gated("0.0001") > standing[ALPHA].exposure.gated("0.0001")


def test_a_peer_a_verified_export_and_a_mirror_say_the_same(world, standing, tmp_path):
    """So does a new machine that has the blocks alone: nothing of an account is kept anywhere else."""
    export = world.forge.write(tmp_path / "ledger.blocks")
    ledger = verify(export, world.forge.genesis, workers=1)
    assert odometer.standings(Served(world.forge.blocks)) == standing
    assert odometer.standings(Verified(ledger, ledger.height)) == standing


def test_an_earlier_height_shows_the_account_as_it_was(world, tmp_path):
    ledger = verify(world.forge.write(tmp_path / "ledger.blocks"), world.forge.genesis, workers=1)
    first = next(
        height for height in range(1, ledger.height) if odometer.standings(Verified(ledger, height)).get(ALPHA)
    )
    before = odometer.standings(Verified(ledger, first))[ALPHA]
    assert before.spent == before.reserved == odometer.Cost()


@pytest.mark.parametrize("what", ["spent", "reserved"])
def test_an_account_that_its_events_do_not_add_up_to_is_refused(world, monkeypatch, what):
    key = f"budget/account/{BETA}"
    account = canonical.decode_as(world.ledger.state[key], Account)
    less = (str(int(getattr(account, what)[0]) - 1), *getattr(account, what)[1:])
    changed = {name: getattr(account, name) for name in account.__struct_fields__} | {what: less}
    monkeypatch.setitem(world.ledger.state, key, canonical.encode(Account(**changed)))
    with pytest.raises(CovenantError, match=r"budget\.history-differs.*BetaMSP"):
        odometer.standings(world.view)


def draft(**changes):
    parts = {
        "hospitals": (ALPHA, BETA), "rounds": 2, "spare_attempts": 2, "local_steps": 2, "q": "0.2", "delta": "0.0001",
        "metric_sigma": "20",
    }  # fmt: skip
    return Draft(**(parts | changes))


def test_a_forecast_is_what_approval_reserves(world, standing, tmp_path):
    """The second study, forecast before it: the account afterwards is the one that the contract wrote."""
    ledger = verify(world.forge.write(tmp_path / "ledger.blocks"), world.forge.genesis, workers=1)
    proposed = ledger.history("studies/study/00000000-0000-0000-0000-000000000002")[0].block
    before = odometer.standings(Verified(ledger, proposed))
    found = forecast.forecasts(before, draft(), "2", odometer.set_apart(world.view))
    assert {one.hospital: one.after for one in found} == {
        name: one.exposure.gated("0.0001") for name, one in standing.items()
    }


def test_the_noise_for_a_target_reaches_it_by_the_ledgers_own_arithmetic(world):
    apart = odometer.set_apart(world.view)
    for shared, spread in ((apart, 1), (frozenset(), 2)):
        sigma = draft().sigma("3", shared)
        assert draft().shares(shared) == spread
        assert draft().of_a_patient(sigma, shared).gated("0.0001") <= 3
        less = format(Decimal(sigma) - Decimal("0.002"), "f")
        assert draft().of_a_patient(less, shared).gated("0.0001") > 3


def test_a_hospital_that_takes_no_part_pays_where_patients_may_be_shared(standing):
    found = forecast.forecasts(standing, draft(hospitals=(ALPHA,)), "2", frozenset())
    assert [one.hospital for one in found] == [ALPHA, BETA] and found[1].after > found[1].before
    apart = frozenset({ALPHA, BETA})
    assert [one.hospital for one in forecast.forecasts(standing, draft(hospitals=(ALPHA,)), "2", apart)] == [ALPHA]


def test_the_least_noise_that_every_account_can_bear(standing):
    apart, many = frozenset({ALPHA, BETA}), draft(rounds=2000)
    assert not all(one.fits for one in forecast.forecasts(standing, many, "2", apart))
    sigma = forecast.least_fitting(standing, many, apart)
    less = format(Decimal(sigma) - Decimal("0.001"), "f")
    assert all(one.fits for one in forecast.forecasts(standing, many, sigma, apart))
    assert not all(one.fits for one in forecast.forecasts(standing, many, less, apart))


def test_where_the_counts_alone_are_too_dear_no_noise_helps(standing):
    assert forecast.least_fitting(standing, draft(metric_sigma="0.1"), frozenset({ALPHA, BETA})) is None


@pytest.fixture
def asked(world, monkeypatch):
    """`covenant budget`, at a peer that serves the world's blocks."""
    monkeypatch.setattr(budget_cli, "read", lambda directory, org: Served(world.forge.blocks))

    def ask(*arguments):
        done = CliRunner().invoke(budget_cli.app, [*arguments, "--dir", "anywhere"])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return ask


def test_show_tells_every_account(asked, standing):
    told = json.loads(asked("show", "--json").stdout)
    assert [one["hospital"] for one in told["accounts"]] == [ALPHA, BETA] and told["ok"]
    one = told["accounts"][0]
    exposure = standing[ALPHA].exposure.gated("0.0001")
    assert one["rdp"]["exposure"] == str(exposure) and one["rdp"]["left"] == str(Decimal(10) - exposure)
    assert all(Decimal(one["pld"][name]) <= Decimal(one["rdp"][name]) for name in ("spent", "reserved", "exposure"))
    assert one["releases"] == 3
    lines = asked("show", "--hospital", BETA).stdout.splitlines()
    assert len(lines) == 3 and lines[2].split()[:3] == [BETA, "10", "0.0001"]


def test_plan_tells_the_noise_and_every_account(asked):
    asking = ("plan", "--epsilon", "3", "--delta", "1e-5", "--rounds", "40", "--q", "0.1")
    told = json.loads(asked(*asking, "--json").stdout)
    assert 2.9 < float(told["epsilon_rdp"]) <= 3 and float(told["epsilon_pld"]) < float(told["epsilon_rdp"])
    assert told["fits"] and told["sigma_that_fits"] == told["sigma"] and told["hospitals_disjoint"]
    assert {one["says"] for one in told["accounts"]} == {"fits"} and told["delta"] == "0.00001"
    text = asked(*asking).stdout
    assert f"sigma {told['sigma']}: 40 rounds" in text and "share no patients" in text


def test_plan_names_the_noise_with_which_it_would_fit(asked):
    asking = ("plan", "--sigma", "0.5", "--rounds", "40")
    told = json.loads(asked(*asking, "--json").stdout)
    assert not told["fits"] and float(told["sigma_that_fits"]) > 0.5
    text = asked(*asking).stdout
    assert "over the cap" in text and f"It fits with: --sigma {told['sigma_that_fits']}" in text


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ((), "budget.target", "--epsilon"),
        (("--epsilon", "3", "--sigma", "2"), "budget.target", "--sigma"),
        (("--epsilon", "three"), "budget.epsilon", "three"),
        (("--epsilon", "-1"), "budget.epsilon", "above 0"),
        (("--epsilon", "nan"), "budget.epsilon", "above 0"),
        (("--sigma", "0"), "budget.sigma", "at least 0.1"),
        (("--epsilon", "3", "--delta", "1"), "budget.delta", "below 1"),
        (("--epsilon", "3", "--delta", "0.5"), "budget.delta", "one patient of the smallest data set of AlphaMSP"),
        (("--epsilon", "3", "--q", "1.5"), "budget.q", "at most 1"),
        (("--epsilon", "3", "--metric-sigma", "0.01"), "budget.metric-sigma", "at least 0.1"),
        (("--epsilon", "3", "--hospital", "NobodyMSP"), "budget.no-account", "AlphaMSP, BetaMSP"),
        (("--epsilon", "0.001"), "calibration.unreachable", "raise epsilon"),
    ],
)
def test_bad_input_is_named_with_its_remedy(asked, arguments, code, word):
    with pytest.raises(CovenantError) as refused:
        asked("plan", *arguments)
    assert refused.value.code == code and word in refused.value.message


@pytest.mark.parametrize(("delta", "fits"), [("0.0101", True), ("0.0102", False), ("0.02", False)])
def test_delta_is_small_enough_for_one_data_set_in_use_at_each_hospital(delta, fits):
    class View:
        def entries(self, prefix):
            sets = [("live", "50-99"), ("live", "100-199"), ("retired", "20-49")]
            return {
                f"{prefix}{number}": Entry({"hospital": ALPHA, "status": status, "size_bucket": bucket}, 1)
                for number, (status, bucket) in enumerate(sets)
            }

    draft = forecast.Draft((ALPHA, BETA), 1, 0, 1, "0.1", delta, "20")  # BETA has none yet, which says nothing
    with nullcontext() if fits else pytest.raises(PortalError, match=r"budget\.delta.*below 1/99"):
        forecast.check_delta(View(), draft)


@pytest.mark.parametrize("wrong", ["--epsilon=three", "--sigma=0", "--epsilon=3 --q=2", "--epsilon=3 --delta=1"])
def test_a_wrong_argument_is_told_before_a_ledger_is_looked_for(monkeypatch, wrong):
    monkeypatch.setattr(budget_cli, "read", lambda directory, org: pytest.fail("it asked the ledger first"))
    done = CliRunner().invoke(budget_cli.app, ["plan", *wrong.split(), "--dir", "anywhere"])
    assert isinstance(done.exception, CovenantError) and done.exception.code.startswith("budget.")


def test_a_ledger_without_accounts_says_who_opens_one():
    with pytest.raises(CovenantError, match=r"budget\.no-account.*steward opens one"):
        forecast.chosen({}, [])
