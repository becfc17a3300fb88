"""The folder of events: several processes write, none mixes with another, and it does not grow without end."""

import logging
import stat
from collections import Counter
from pathlib import Path

import pytest
from tests.processes import FRESH

from dicomanon.openlineage.files import EventFiles


def _write(folder: Path, who: int, lines: int, width: int) -> None:
    files = EventFiles(folder, segment_megabytes=1, segments=50)
    for number in range(lines):
        files.append(f"{who} {number} {str(who) * width}".encode())


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    """Wider than a pipe or a buffer, and more than one file takes."""
    writers = [FRESH.Process(target=_write, args=(tmp_path, who, 40, 20_000)) for who in (1, 2, 3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    segments = EventFiles(tmp_path).close_active()
    assert len(segments) >= 3
    lines = [line.split() for segment in segments for line in segment.read_text().splitlines()]
    assert Counter(who for who, _, _ in lines) == {"1": 40, "2": 40, "3": 40}
    assert all(set(text) == {who} and len(text) == 20_000 for who, _, text in lines)
    assert all(segment.stat().st_size <= 1_000_000 for segment in segments)


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    files = EventFiles(tmp_path / "events")
    files.append(b"{}")
    files.keep_damaged(b"{")
    for segment in files.close_active():
        files.mark_loaded(segment)
    files.append(b"{}")
    found = list((tmp_path / "events").rglob("*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}
    folders = [tmp_path / "events", *(path for path in found if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_a_line_that_was_broken_off_spoils_no_other(tmp_path: Path) -> None:
    files = EventFiles(tmp_path)
    files.append(b'{"a": 1}')
    with (tmp_path / "events.jsonl").open("ab") as killed:
        killed.write(b'{"b": ')
    files.append(b'{"c": 3}\n')
    (segment,) = files.close_active()
    assert segment.read_bytes() == b'{"a": 1}\n{"b": \n{"c": 3}\n'


def test_the_oldest_go_first_and_unread_ones_are_missed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    files = EventFiles(tmp_path, segments=2)
    for number in range(3):
        files.append(str(number).encode())
        for segment in files.close_active():
            files.mark_loaded(segment)
    assert [file.read_text() for file in sorted((tmp_path / "loaded").iterdir())] == ["1\n", "2\n"]
    assert caplog.messages == []
    for number in range(3, 6):
        files.append(str(number).encode())
        waiting = files.close_active()
    assert [file.read_text() for file in waiting] == ["4\n", "5\n"]
    assert list((tmp_path / "loaded").iterdir()) == []
    assert caplog.messages == ["1 files of OpenLineage events went unread: the folder is full, load it more often"]


def test_one_loads_at_a_time(tmp_path: Path) -> None:
    files = EventFiles(tmp_path)
    with files.one_loader() as mine:
        with files.one_loader() as others:
            assert (mine, others) == (True, False)
        files.append(b"a loader keeps nobody from writing")
    with files.one_loader() as again:
        assert again
