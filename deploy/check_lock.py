"""Fails when a requirements*.txt is not what its requirements*.in resolves to, given the pins that are there."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).parent / "uv"


def compile_lock(source: Path, lock: Path) -> None:
    """Resolve ``source`` into ``lock``, keeping the pins that ``lock`` has already."""
    subprocess.run(
        [
            UV, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--no-emit-index-url",
            "--no-emit-find-links", "--no-annotate", "--custom-compile-command", "make lock", source.name, "-o", lock,
        ],
        check=True,
        cwd=REPOSITORY,
    )  # fmt: skip


def main() -> int:
    """Rewrite the locks with ``--write``; else tell which are out of step."""
    write = "--write" in sys.argv
    stale = []
    for name in ("requirements", "requirements-dev"):
        source, lock = REPOSITORY / f"{name}.in", REPOSITORY / f"{name}.txt"
        if write:
            compile_lock(source, lock)
            continue
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / lock.name
            shutil.copy(lock, fresh)
            compile_lock(source, fresh)
            if fresh.read_text() != lock.read_text():
                stale.append(lock.name)
    if stale:
        sys.stderr.write(f"out of step with their .in files: {', '.join(stale)}; run `make lock`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
