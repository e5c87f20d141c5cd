"""A ledger backed up while it serves comes back whole; nobody is led to follow an older copy; its keys stay private."""

from __future__ import annotations

import shutil
import stat
import tarfile
from pathlib import Path

import pytest

from ledger.embedded.backup import back_up, restore
from ledger.errors import LedgerError
from ledger.gateway import EventsError
from ledger.verify.export import export
from ledger.verify.verification import verify
from tests.unit.ledger.embedded.harness import Server, members
from tests.unit.ledger.embedded.wire import TEXT


def publish(server: Server, name: str) -> object:
    with server.connect() as door:
        return door.contract.submit("consents:PublishText", {"text": name, **TEXT})


def verified(server: Server, file: Path) -> int:
    with server.connect() as door:
        export(door, file)
    return int(verify(file, server.genesis).report.height)


@pytest.fixture
def founded(server: Server) -> Server:
    with server.connect() as door:
        door.contract.submit("members:Found", members())
    publish(server, "before")
    return server


def replaced(server: Server, file: Path) -> None:
    """The same ledger from its backup, on the same port."""
    assert server.process is not None
    port = int(server.process.address.rpartition(":")[2])
    server.stop()
    shutil.rmtree(server.directory)
    restore(file, server.directory)
    server.start(port)


def test_backed_up_while_it_serves_it_comes_back_serves_and_verifies(founded: Server, tmp_path: Path) -> None:
    file = tmp_path / "ledger.backup"
    assert back_up(founded.directory, file).height == 3
    modes = {path.relative_to(founded.directory): path.stat().st_mode for path in founded.directory.rglob("key.pem")}
    replaced(founded, file)
    assert verified(founded, tmp_path / "blocks") == 3
    publish(founded, "after")
    assert verified(founded, tmp_path / "more") == 4
    assert modes and all((founded.directory / name).stat().st_mode == mode for name, mode in modes.items())
    assert stat.S_IMODE((founded.directory / "tls" / "server.key").stat().st_mode) == 0o600


def test_a_backup_is_for_its_owner_alone_and_written_once(founded: Server, tmp_path: Path) -> None:
    file = tmp_path / "ledger.backup"
    back_up(founded.directory, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(LedgerError, match=r"backup\.exists"):
        back_up(founded.directory, file)
    with pytest.raises(LedgerError, match=r"ledger\.no-directory"):
        back_up(tmp_path / "nothing", tmp_path / "none")
    with pytest.raises(LedgerError, match=r"backup\.directory-missing"):
        back_up(founded.directory, tmp_path / "none" / "ledger.backup")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger", "ledger.backup"]


def test_a_cut_a_changed_or_a_foreign_file_restores_nothing(founded: Server, tmp_path: Path) -> None:
    file, target = tmp_path / "ledger.backup", tmp_path / "new"
    back_up(founded.directory, file)
    whole = file.read_bytes()
    foreign = tmp_path / "foreign.tar.gz"
    with tarfile.open(foreign, "w:gz") as archive:
        archive.add(founded.directory / "genesis.block", "genesis.block")
    cut = [whole[:end] for end in (0, 100, len(whole) // 2, len(whole) - 200, len(whole) - 1)]
    for number, data in enumerate([*cut, whole[:-5] + b"\0\0\0\0\0", foreign.read_bytes(), b"not a backup"]):
        file.write_bytes(data)
        with pytest.raises(LedgerError, match=r"restore\.malformed"):
            restore(file, target)
        assert not target.exists(), number
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign.tar.gz", "ledger", "ledger.backup"]


def test_with_a_byte_changed_anywhere_nothing_else_is_restored(founded: Server, tmp_path: Path) -> None:
    """Some bytes of a compressed file can be others and say the same."""
    file, target = tmp_path / "ledger.backup", tmp_path / "new"
    back_up(founded.directory, file)
    whole = file.read_bytes()
    restore(file, target)
    content = contents(target)
    refused = 0
    for place in range(0, len(whole), len(whole) // 60):
        shutil.rmtree(target, ignore_errors=True)
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            restore(file, target)
        except LedgerError as error:
            assert error.code == "restore.malformed"
            assert not target.exists()
            refused += 1
        else:
            assert contents(target) == content, place
    assert refused > 30


def contents(directory: Path) -> dict[str, bytes]:
    """Every file below `directory`."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_only_an_empty_directory_is_restored_into(founded: Server, tmp_path: Path) -> None:
    file, target = tmp_path / "ledger.backup", tmp_path / "new"
    back_up(founded.directory, file)
    for taken in (founded.directory, file):
        with pytest.raises(LedgerError, match=r"restore\.not-empty"):
            restore(file, taken)
    target.mkdir()
    assert restore(file, target).genesis == founded.genesis
    with pytest.raises(LedgerError, match=r"restore\.not-empty"):
        restore(file, target)


def test_who_saw_more_is_told_that_the_ledger_is_older(founded: Server, tmp_path: Path) -> None:
    file = tmp_path / "ledger.backup"
    back_up(founded.directory, file)
    lost = publish(founded, "lost")
    replaced(founded, file)
    with founded.connect() as door:
        with door.contract.events(lost.block, lost.tx_id) as events, pytest.raises(EventsError) as behind:  # type: ignore[attr-defined]
            next(events)
        assert behind.value.code == "gateway.ledger-behind"
        assert behind.value.context["height"] == 3
        publish(founded, "another")  # it has grown again, another way
        with door.contract.events(lost.block, lost.tx_id) as events, pytest.raises(EventsError) as other:  # type: ignore[attr-defined]
            next(events)
        assert other.value.code == "gateway.checkpoint-unknown"


def test_a_follower_that_listens_through_the_exchange_is_told_too(founded: Server, tmp_path: Path) -> None:
    file = tmp_path / "ledger.backup"
    back_up(founded.directory, file)
    publish(founded, "lost")
    with founded.connect() as door, door.contract.events() as events:
        seen = [next(events).name for _ in range(3)]
        replaced(founded, file)
        with pytest.raises(EventsError, match=r"gateway\.ledger-behind"):
            next(events)
    assert len(seen) == 3
