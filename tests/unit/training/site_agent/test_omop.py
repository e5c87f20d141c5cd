"""A study over OMOP tables through the sites' own agents: from made-up databases to a released model and its card."""

from __future__ import annotations

from tests.support.federation import World
from training.federation.release import Head, package
from training.federation.studies import Studies
from training.federation.vectors import digest
from training.models import coronary
from training.site import cdm, cdm_example, omop
from training.site.trainer import SiteTrainer

CONFIGURATION = coronary.DEFAULTS.configuration() | {"local_steps": 2}
PRIVACY = {
    "clip": "1", "sigma": "2", "q": "0.5", "steps": 2, "delta": "0.0001", "records_per_patient": 1, "unit": "patient",
}  # fmt: skip


def test_omop_tables_train_to_a_released_model(tmp_path):
    world = World(tmp_path, trainer=SiteTrainer())
    databases = cdm_example.write_databases(tmp_path / "omop")  # the third one's patients have no cholesterol
    for one, database in zip(world.hospitals.values(), databases[:2], strict=True):
        target = tmp_path / f"{one.msp}.omop.csv"
        cdm.extract(f"sqlite:///{database}", target)
        one.hold(omop.load(target))
    world.everybody_consents()
    study = world.study(configuration=CONFIGURATION, privacy=PRIVACY)
    world.runner().run(study)
    studies = Studies(world.view)
    standing = studies.study(study)
    final = world.agents["AlphaMSP"].chain.final(standing)
    assert final.shape == (11,) and digest(final) != standing.plan.initial
    assert set(studies.confirmations(study)) == set(world.hospitals)
    card = package(world.view, standing, final, Head(41, "ab" * 32)).card.decode()
    assert "whether coronary disease was recorded" in card
