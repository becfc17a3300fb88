"""``dicomanon backup`` and ``dicomanon restore``: copies of the crosswalk."""

from pathlib import Path
from typing import Annotated

import typer

from dicomanon.cli_site import signer
from dicomanon.console import say

backup_app = typer.Typer(help="Encrypted backups of the crosswalk; the keyring is in none of them.")


@backup_app.callback(invoke_without_command=True)
def backup(context: typer.Context) -> None:
    """Make a backup, prove it by restoring it into a server of its own, let old ones go."""
    if context.invoked_subcommand is not None:
        return
    from dicomanon.backup.routine import back_up
    from dicomanon.backup.settings import BackupSettings
    from dicomanon.local_stack.stack import require_site

    require_site()
    made, counts = back_up(BackupSettings.load())
    say(str(made.folder))
    say(", ".join(f"{value} {name}" for name, value in counts.items()))


@backup_app.command("list")
def list_backups() -> None:
    """Show the backups, oldest first, and when each was found whole."""
    from dicomanon.backup.manifest import stored_backups
    from dicomanon.backup.settings import BackupSettings
    from dicomanon.local_stack.stack import require_site

    require_site()
    stored = list(stored_backups(BackupSettings.load().backup_dir))
    if not stored:
        say("no backups")
    for one in stored:
        manifest = one.manifest
        verified = f"verified {manifest.verified_at:%Y-%m-%d %H:%M}" if manifest.verified_at else "NOT verified"
        say(f"{one.name}  {manifest.bytes:>14,} bytes  {sum(manifest.rows.values()):>14,} rows  {verified}")


@backup_app.command("verify")
def verify_backup(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Of one backup.")],
) -> None:
    """Restore a backup into a server of its own and check it; the site's crosswalk is not touched."""
    from dicomanon.backup.key import BackupKey
    from dicomanon.backup.manifest import Backup
    from dicomanon.backup.restoring import verify
    from dicomanon.backup.settings import BackupSettings
    from dicomanon.local_stack.stack import require_site

    require_site()
    done = verify(Backup.read(folder), BackupKey.load(BackupSettings.load().backup_key_file))
    say(f"{done.name} is whole: {sum(done.manifest.rows.values()):,} rows of {len(done.manifest.rows)} tables")


@backup_app.command("key")
def make_key(file: Annotated[Path, typer.Argument(dir_okay=False, help="New file for the key.")]) -> None:
    """Make the key that backups are encrypted to; keep copies of it with those of the keyring."""
    from dicomanon.backup.key import BackupKey

    BackupKey.generate(file)
    say("made; keep a copy of it where the backups are not")


def restore(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Of one backup.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit trail.")],
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Rename a crosswalk that is there; nothing of it is removed.")
    ] = False,
) -> None:
    """Bring the crosswalk back from a backup. Stop all runs before; check the archives after.

    Nothing new is de-identified until `dicomanon archives check` has found no patient that the backup does not know.
    """
    from dicomanon.backup.key import BackupKey
    from dicomanon.backup.manifest import Backup
    from dicomanon.backup.restoring import restore as bring_back
    from dicomanon.backup.settings import BackupSettings
    from dicomanon.crosswalk.keyring import Keyring
    from dicomanon.local_stack.stack import require_site

    require_site()
    settings = BackupSettings.load()
    found = Backup.read(folder)
    former = bring_back(
        found,
        BackupKey.load(settings.backup_key_file),
        settings.crosswalk_dsn.get_secret_value(),
        Keyring.load(settings.keyring_file),
        actor=signer(),
        reason=reason,
        set_aside=set_aside,
        programs=settings.backup_programs,
    )
    say(f"the crosswalk is that of {found.name}")
    if former:
        say(f"the former one is in the schema {former}: drop it when nobody needs it any more")
    say("now run: dicomanon archives check")
