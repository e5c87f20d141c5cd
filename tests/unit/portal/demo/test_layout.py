"""The demo's directory: locked, its first choices kept, its files whole or absent."""

from __future__ import annotations

import json
import socket
import stat
from dataclasses import asdict

import pytest

from ledger.network import plan as plans
from portal.demo.layout import (
    HOSPITALS,
    HUB,
    NETWORK,
    PORTS,
    SITES,
    Layout,
    free_ports,
    needed_ports,
    port_of,
    write_json,
)  # fmt: skip
from portal.errors import PortalError

NONE_GIVEN = {"port": None, "seed": None, "epsilon": None, "rounds": None}


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "demo")


def test_the_first_run_chooses_and_later_runs_continue(layout):
    first = layout.choose(**{**NONE_GIVEN, "rounds": 6})
    layout.keep(first)
    assert (first.port, first.seed, first.epsilon, first.rounds) == (8000, 42, "5", 6)
    assert layout.choose(**NONE_GIVEN) == first
    assert layout.choose(**{**NONE_GIVEN, "rounds": 6}) == first
    assert len({first.study, first.request, first.proposal}) == 3


@pytest.mark.parametrize("other", [{"rounds": 7}, {"seed": 1}, {"epsilon": "2"}, {"port": 9000}])
def test_another_choice_is_refused_and_the_old_one_stays(layout, other):
    first = layout.choose(**NONE_GIVEN)
    layout.keep(first)
    with pytest.raises(PortalError, match=r"demo\.other-choice.*--reset"):
        layout.choose(**{**NONE_GIVEN, **other})
    assert asdict(layout.choose(**NONE_GIVEN)) == asdict(first)


def test_a_start_afresh_takes_what_is_given_and_writes_nothing(layout):
    layout.keep(first := layout.choose(**NONE_GIVEN))
    again = layout.choose(**{**NONE_GIVEN, "port": 9000}, afresh=True)
    assert (again.port, again.study != first.study) == (9000, True)
    assert asdict(layout.choose(**NONE_GIVEN)) == asdict(first)


def test_one_run_at_a_time(layout):
    with layout.lock(), pytest.raises(PortalError, match=r"demo\.directory-in-use"), Layout(layout.directory).lock():
        pytest.fail("two runs held one directory")
    with layout.lock():
        pass


def test_every_node_has_a_port_and_a_name_of_its_own(layout):
    assert [port_of(site, 8000) for site in (HUB, *HOSPITALS)] == list(range(8000, 8000 + PORTS))
    assert len({layout.config(site) for site in SITES}) == PORTS
    assert layout.address(HUB, 8000) == "http://hub.localhost:8000"


def test_a_port_in_use_is_not_free():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert list(free_ports([taken.getsockname()[1]])) == []


def test_a_file_is_private_and_whole_or_absent(tmp_path):
    file = tmp_path / "new" / "choices.json"
    write_json(file, {"a": 1})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(TypeError):
        write_json(file, {"a": object()})
    assert file.read_text() == '{\n  "a": 1\n}\n'


def test_a_directory_stays_on_the_ledger_it_was_made_with(layout):
    first = layout.choose(**NONE_GIVEN, ledger="fabric")
    layout.keep(first)
    assert layout.choose(**NONE_GIVEN).ledger == "fabric"
    with pytest.raises(PortalError, match=r"demo\.other-choice.*--ledger fabric"):
        layout.choose(**NONE_GIVEN, ledger="embedded")
    assert first.network_port == first.port + NETWORK


def test_a_network_needs_ports_beside_the_pages():
    assert needed_ports(8000, "embedded") == list(range(8000, 8000 + PORTS))
    both = needed_ports(8000, "fabric")
    plan = plans.draw([one.name for one in HOSPITALS], [HUB.name], host="127.0.0.1", port=8000 + NETWORK)
    used = {each.address(what).port for each in plan.hospitals for what in plans.PORTS}
    assert used < set(both) and len(both) == len(set(both))


def test_an_unnamed_ledger_is_the_embedded_one(layout):
    layout.keep(layout.choose(**NONE_GIVEN))
    choices = json.loads(layout.chosen.read_text())
    del choices["ledger"]  # as directories made before there was a choice
    write_json(layout.chosen, choices)
    assert layout.choose(**NONE_GIVEN).ledger == "embedded"
