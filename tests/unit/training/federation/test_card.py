"""The card tells what the certificate and the ledger say, in the field's words, and nothing that somebody typed in."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from tests.support.federation import World
from training.errors import TrainingError
from training.federation.card import card, plain
from training.federation.release import Head, package
from training.federation.studies import Studies


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study in which one site declined the evaluation: it has too few held-out patients."""
    world = World(tmp_path_factory.mktemp("world"), held_out=24)
    world.everybody_consents()
    gone = [made for made in world.hospitals["BetaMSP"].grants.values() if made.patient in held_out(world)]
    study = world.study(title="Hearts | of *all*")

    def before(number):
        for made in gone if number == 2 else ():
            world.hospitals["BetaMSP"].withdraw(made)

    model = world.runner(before=before).run(study)
    standing = Studies(world.view).study(study)
    return world, standing, package(world.view, standing, model, Head(41, "ab" * 32))


def held_out(world):
    return world.hospitals["BetaMSP"].held_out


def test_it_says_what_the_certificate_says(finished):
    _, _, made = finished
    facts, words = json.loads(made.certificate), made.card.decode()
    assert sha256(made.card).hexdigest() == facts["card"]
    privacy = facts["privacy"]
    for told in (
        "# Model card: Hearts \\| of \\*all\\*\n",
        "disease specific research (DUO:0000007), into heart disorder (MONDO:0005267)",
        "Commercial use: no.",
        f"({privacy['epsilon_pld']}, 0.0001)-differentially private",
        "Unit of privacy: one patient",
        "Adjacency: add or remove one patient of one hospital.",
        f"epsilon {privacy['epsilon_rdp']} by Rényi",
        "2 steps a round; Poisson sampling of patients at q 0.2; each patient's gradient clipped to 1",
        "noise with multiplier 2. The accuracy counts: Gaussian, multiplier 20.",
        "different people",
        "Nothing was measured for subgroups",
        f"`{facts['weights']}`; as trained `{facts['model']}`",
        f"the plan `{facts['plan']}`",
        f"at 41 blocks, head `{'ab' * 32}`",
        "covenant model verify",
    ):
        assert told in words, told
    for one in facts["not_covered"]:
        assert f"- {plain(one)}" in words


def test_it_tells_of_patients_in_ranges_and_noised_counts_alone(finished):
    _, _, made = finished
    words = made.card.decode()
    assert "| `AlphaMSP/heart` version 1 | Heart | tabular | 50-99 |" in words
    assert "| `AlphaMSP` | training | 2 | 20-49 |" in words and "| `AlphaMSP` | evaluation | 1 | 20-49 |" in words
    assert "| `BetaMSP` | training | 2 | 20-49 |" in words and "| `BetaMSP` | evaluation" not in words
    assert "| `AlphaMSP` | 1 | 2 |" in words and "| `BetaMSP` | not released |  |" in words


def test_of_a_study_of_images_certificate_and_card_say_image(tmp_path):
    world = World(tmp_path, hospitals=1, patients=20, held_out=20, unit="image")
    world.everybody_consents()
    study = world.study()
    model = world.runner().run(study)
    made = package(world.view, Studies(world.view).study(study), model, Head(41, "ab" * 32))
    facts, words = json.loads(made.certificate), made.card.decode()
    assert (facts["privacy"]["unit"], facts["privacy"]["adjacency"][:20]) == ("image", "add or remove one im")
    assert any("several images" in one for one in facts["not_covered"])
    for told in (
        "Unit of privacy: one image, by itself",
        "Poisson sampling of images at q 0.2; each image's gradient clipped",
        "| images in each, as ranges |",
        "images registered",
        "## Accuracy on held-out images",
    ):
        assert told in words, told


def test_it_is_the_same_bytes_whenever_it_is_made(finished):
    world, standing, made = finished
    facts = json.loads(made.certificate)
    assert {card(world.view, standing, facts) for _ in range(3)} == {made.card}


def test_it_names_the_head_that_it_rests_on(finished):
    world, standing, made = finished
    facts = json.loads(made.certificate)
    later = {**facts, "ledger": {"height": 42, "header": "cd" * 32}}
    assert card(world.view, standing, later) != made.card


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("access/request/00000000-0000-0000-0000-0000000003e9", "card.request-unknown"),
        ("catalogue/dataset/AlphaMSP/heart/1", "card.dataset-unknown"),
    ],
)
def test_what_the_ledger_lacks_is_not_told(finished, monkeypatch, key, code):
    world, standing, made = finished
    monkeypatch.delitem(world.ledger.state, key)
    with pytest.raises(TrainingError) as refused:
        card(world.view, standing, json.loads(made.certificate))
    assert refused.value.code == code


def test_a_title_cannot_write_the_card():
    assert plain("a\n# b | <b>c</b> [d](e)") == r"a \# b \| \<b\>c\</b\> \[d\]\(e\)"
