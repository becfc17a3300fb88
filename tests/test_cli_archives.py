"""`dicomanon archives`, `backup` and `restore` on a real site, as people type them."""

import json
from pathlib import Path

import pytest
from tests.command import dicomanon
from tests.site import Site, ct, encoded, slices, study

from dicomanon.backup.key import BackupKey

A, B = study("a"), study("b", number=2)


@pytest.fixture
def backups(site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DICOMANON_BACKUP_DIR", str(site.folder / "backups"))
    monkeypatch.setenv("DICOMANON_BACKUP_KEY_FILE", str(site.folder / "backup.key"))
    BackupKey.generate(site.folder / "backup.key")
    return site.folder / "backups"


def test_check_list_and_show(site: Site) -> None:
    site.ingest(*slices(A))
    clean = dicomanon("archives", "check")
    assert (clean.returncode, clean.stderr) == (0, "")
    assert "say the same" in clean.stdout
    assert dicomanon("archives", "list").stdout == "no differences\n"
    with site.research.session() as session:
        session.post(f"{site.research.url}/instances", data=encoded(ct(B)), timeout=60).raise_for_status()
    found = dicomanon("archives", "check", "--minutes", "1", "--digests", "3")
    assert found.returncode == 1
    assert "1  study-unknown (leak)" in found.stdout
    assert " digests compared" in found.stdout
    listed = dicomanon("archives", "list", "--json")
    row = json.loads(listed.stdout)
    assert (row["cause"], row["sealed"], row["gone"]) == ("study-unknown", True, None)
    assert B.uid not in found.stdout + listed.stdout + dicomanon("archives", "list").stdout
    number = str(row["number"])
    assert B.uid not in dicomanon("archives", "show", number).stdout
    refused = dicomanon("archives", "show", number, "--reveal")
    assert refused.returncode == 3
    assert B.uid in dicomanon("archives", "show", number, "--reveal", "--reason", "to remove it").stdout
    assert dicomanon("archives", "show", "999").returncode == 1


def test_backup_and_restore(site: Site, backups: Path) -> None:
    site.ingest(*slices(A))
    assert dicomanon("backup", "list").stdout == "no backups\n"
    made = dicomanon("backup")
    assert made.returncode == 0, made.stderr
    (folder,) = backups.iterdir()
    assert str(folder) in made.stdout
    assert "1 verified" in made.stdout
    assert f"{folder.name}  " in dicomanon("backup", "list").stdout
    refused = dicomanon("restore", folder, "--reason", "a drill")
    assert refused.returncode == 3
    assert "--set-aside" in refused.stderr
    done = dicomanon("restore", folder, "--reason", "a drill", "--set-aside")
    assert done.returncode == 0, done.stderr
    assert "archives check" in done.stdout
    assert dicomanon("archives", "check").returncode == 0
    site.ingest(*slices(A), *slices(B))
    site.assert_settled(*slices(A), *slices(B))


def test_verify_says_what_is_damaged(site: Site, backups: Path) -> None:
    assert dicomanon("backup").returncode == 0
    (folder,) = backups.iterdir()
    assert "is whole" in dicomanon("backup", "verify", folder).stdout
    dump = folder / "crosswalk.dump.age"
    dump.write_bytes(dump.read_bytes()[:-1])
    damaged = dicomanon("backup", "verify", folder)
    assert damaged.returncode == 3
    assert "damaged" in damaged.stderr


def test_a_recovery_by_other_means_stops_runs_too(site: Site) -> None:
    assert dicomanon("archives", "restored", "--reason", "back to noon").returncode == 0
    from dicomanon.errors import Fatal

    with pytest.raises(Fatal, match="was restored"):
        site.ingest(*slices(A))
    source = site.folder / "source"
    source.mkdir()
    (source / "one").write_bytes(slices(A, [1])[0])
    refused = dicomanon("deidentify", source, site.folder / "out", "--jobs", "1")
    assert refused.returncode == 3
    assert "was restored" in refused.stderr
    assert dicomanon("archives", "check").returncode == 0
    site.ingest(*slices(A))
