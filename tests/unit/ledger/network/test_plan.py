"""A network's plan: names that are safe everywhere, ports that nobody gets twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.network.errors import NetworkError
from ledger.network.plan import PORTS, Member, draw


def plan(hospitals, institutes=("institute",), port=7050):
    return draw(hospitals, institutes, host="127.0.0.1", port=port)


@given(st.integers(1, 20))
def test_no_port_is_given_out_twice(count):
    drawn = plan([f"h{number}" for number in range(count)])
    ports = [each.address(what).port for each in drawn.organisations for what in PORTS]
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("name", ["", "Aachen", "a b", "../x", "ä", "a" * 31, "1st", "-a", "a\n", "a/b", "a;b"])
def test_a_name_with_odd_characters_is_refused(name):
    with pytest.raises(NetworkError, match=r"^network\.name: .*lower-case letters"):
        plan([name])


@given(st.text(max_size=40))
def test_whatever_name_passes_is_plain(name):
    try:
        member = Member.named(name)
    except NetworkError as error:
        assert error.code == "network.name"
    else:
        assert name.isascii() and name.replace("-", "").isalnum() and name[0].isalpha()
        assert member.msp.endswith("MSP")


@pytest.mark.parametrize("msp", ["", "A B", "A'MSP", "ÄMSP", "9MSP", "A" * 65])
def test_an_odd_msp_id_is_refused(msp):
    with pytest.raises(NetworkError, match=r"^network\.name: "):
        plan([Member("aachen", msp)])


@pytest.mark.parametrize(
    ("hospitals", "institutes"),
    [([], ["institute"]), (["a", "a"], []), (["a"], ["a"]), ([Member("a", "XMSP"), Member("b", "XMSP")], [])],
)
def test_no_hospital_or_a_name_twice_is_refused(hospitals, institutes):
    with pytest.raises(NetworkError, match=r"^network\.organisations: "):
        plan(hospitals, institutes)


@pytest.mark.parametrize("port", [0, 80, 65535])
def test_a_port_out_of_range_is_refused(port):
    with pytest.raises(NetworkError, match=r"^network\.port: .*--port"):
        plan(["a"], port=port)


@pytest.mark.parametrize("host", ["", "a b", "-a", "a\n", "a/b", "::1", "a" * 254])
def test_an_odd_address_is_refused(host):
    with pytest.raises(NetworkError, match=r"^network\.address: .*--host"):
        draw(["a"], [], host=host, port=7050)


def test_orderers_agree_by_raft_below_four_hospitals():
    assert [plan([f"h{n}" for n in range(count)]).ordering for count in (1, 3, 4)] == ["etcdraft", "etcdraft", "BFT"]


def test_an_unknown_organisation_is_told_who_is_there():
    with pytest.raises(NetworkError, match=r"^network\.unknown-organisation: c is not in this network; it has a, b"):
        plan(["a"], ["b"]).find("c")
