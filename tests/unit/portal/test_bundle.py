"""A released model is believed only as the hospitals signed it: not one digit of it can be changed unseen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from consent.canonical import encode
from consent.errors import CovenantError
from ledger.verify import verify
from portal import bundle
from tests.support.forged_world import ForgedWorld
from training.federation.studies import Studies

ROOT = Path(__file__).parents[3]
MODEL, CERTIFICATE, CARD = bundle.FILES


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = ForgedWorld(tmp_path_factory.mktemp("world"))
    world.everybody_consents()
    study = world.study()
    world.runner().run(study)
    world.release(study)
    return world


@pytest.fixture(scope="module")
def study(world):
    return next(iter(world.released))


@pytest.fixture(scope="module")
def files(world, study):
    made = world.released[study]
    return made.weights, made.certificate, made.card


@pytest.fixture(scope="module")
def ledger(world, tmp_path_factory):
    return verify(
        world.forge.write(tmp_path_factory.mktemp("export") / "ledger.blocks"), world.forge.genesis, workers=1
    )


@pytest.fixture
def folder(files, tmp_path):
    made = tmp_path / "bundle"
    made.mkdir()
    for name, data in zip(bundle.FILES, files, strict=True):
        (made / name).write_bytes(data)
    return made


def test_what_was_released_is_shown_to_be_so(files, ledger, study):
    shown = bundle.check(files, ledger)
    assert shown.facts["study"] == study and shown.hospitals == ("AlphaMSP", "BetaMSP")
    assert shown.sponsor == "InstituteMSP" and shown.released_block == ledger.height - 1
    said = "\n".join(shown.sentences())
    assert "other studies: each hospital" in said and "One operator holds all keys" in said
    told = json.loads(json.dumps(shown.as_json()))
    assert told["ok"] and told["privacy"]["epsilon_pld"] == json.loads(files[1])["privacy"]["epsilon_pld"]


def test_a_machine_with_nothing_else_verifies_it(world, folder, tmp_path):
    """In a process of its own, in an empty folder: the bundle, the export and the genesis digest are all there is."""
    export = world.forge.write(tmp_path / "ledger.blocks")
    command = [sys.executable, str(ROOT / "covenant.py"), "model", "verify", str(folder)]
    empty = tmp_path / "empty"
    empty.mkdir()
    command += ["--ledger", str(export), "--genesis", world.forge.genesis, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=empty, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] and told["hospitals"] == ["AlphaMSP", "BetaMSP"]
    with pytest.raises(CovenantError, match=r"verify\.genesis"):
        bundle.verify_bundle(folder, export, "0" * 64)


def test_a_certificate_with_any_one_digit_changed_is_refused(files, ledger):
    weights, certificate, words = files
    places = [found.start() for found in re.finditer(rb"[0-9]", certificate)]
    assert len(places) > 500
    for place in places:
        digit = b"%d" % ((int(certificate[place : place + 1]) + 1) % 10)
        changed = certificate[:place] + digit + certificate[place + 1 :]
        with pytest.raises(CovenantError) as refused:
            bundle.check((weights, changed, words), ledger)
        assert refused.value.code in {"model.certificate-differs", "model.not-released", "model.certificate-malformed"}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_file_with_any_one_byte_changed_is_refused(files, ledger, place):
    data = files[place]
    for at in {0, 1, 9, len(data) // 2, len(data) - 2, len(data) - 1}:
        changed = [*files]
        changed[place] = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(CovenantError, match=r"^model\."):
            bundle.check(tuple(changed), ledger)


def lying(world, study, change):
    """A ledger on which every hospital and the sponsor signed a certificate with `change` in it, and its files."""
    standing = Studies(world.view).study(study)
    made = world.released[study]
    facts = json.loads(made.certificate)
    change(facts)
    certificate = encode(facts)
    for site in world.hospitals.values():
        arguments = {"study": study, "model": made.model, "certificate": sha256(certificate).hexdigest()}
        site.submit("site", "studies:Confirm", arguments)
    digests = {"model": made.model, "weights": made.weights_digest, "certificate": sha256(certificate).hexdigest()}
    world.run("runner", "studies:Release", {"study": standing.study, **digests})
    return made.weights, certificate, made.card


def put(*path):
    *way, name, value = path

    def change(facts):
        for step in way:
            facts = facts[step]
        facts[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("privacy", "epsilon_pld", "0.500000"),
        put("cohorts", 0, "sites", "BetaMSP", "bucket", "500-999"),
    ],
)
def test_what_all_hospitals_signed_together_is_still_held_against_the_ledger(tmp_path, change):
    """Nobody who holds the export needs to believe even all of them: it is recomputed from what they recorded."""
    world = ForgedWorld(tmp_path / "world")
    world.everybody_consents()
    study = world.study()
    world.runner().run(study)
    files = lying(world, study, change)
    ledger = verify(world.forge.write(tmp_path / "ledger.blocks"), world.forge.genesis, workers=1)
    with pytest.raises(CovenantError, match=r"certificate\.differs"):
        bundle.check(files, ledger)


def test_an_export_that_ends_before_the_certificates_head_is_refused(world, folder, files, tmp_path):
    height = json.loads(files[1])["ledger"]["height"]
    blocks = world.forge.blocks[: height - 1]
    short = tmp_path / "short.blocks"
    world.forge.write(short)
    data = short.read_bytes()
    end = len(b"covenant.ledger.v1\n") + sum(4 + len(block) for block in blocks)
    short.write_bytes(data[:end])
    with pytest.raises(CovenantError, match=r"verify\.head-missing"):
        bundle.verify_bundle(folder, short, world.forge.genesis)


def test_a_study_that_was_not_released_is_refused(world, files, tmp_path):
    before = tmp_path / "before.blocks"
    blocks, world.forge.blocks = world.forge.blocks, world.forge.blocks[:-1]
    try:
        world.forge.write(before)
    finally:
        world.forge.blocks = blocks
    with pytest.raises(CovenantError, match=r"model\.not-released"):
        bundle.check(files, verify(before, world.forge.genesis, workers=1))


@pytest.mark.parametrize("name", bundle.FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CovenantError, match=rf"model\.file-missing.*{name}"):
        bundle.read(folder)


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(CovenantError, match=r"model\.file-missing.*no directory"):
        bundle.read(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["model.pt", "weights.PKL", "model.onnx"])
def test_a_file_that_may_run_code_beside_them_is_refused(folder, name):
    (folder / name).write_bytes(b"")
    with pytest.raises(CovenantError, match=rf"model\.not-safetensors.*{name}"):
        bundle.read(folder)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"no json", b'{"ledger":{"header":"","height":true}}'])
def test_what_is_no_certificate_is_refused(data):
    with pytest.raises(CovenantError, match=r"model\.certificate-malformed"):
        bundle.opened(data)


def test_a_bundle_of_another_study_is_no_bundle(folder, world, study, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    facts = json.loads((folder / CERTIFICATE).read_bytes())
    (tmp_path / "copy" / CERTIFICATE).write_bytes(encode({**facts, "study": "other"}))
    with pytest.raises(CovenantError, match=r"model\.not-released"):
        bundle.verify_bundle(tmp_path / "copy", world.forge.write(tmp_path / "ledger.blocks"), world.forge.genesis)
