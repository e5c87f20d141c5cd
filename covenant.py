"""The command line: `covenant GROUP COMMAND`. Each package brings its own cli.py, imported only when called."""

from __future__ import annotations

import errno
import json
import sys
from importlib import import_module

import click
import typer

from consent.errors import CovenantError

COMMANDS = {
    "account": "portal.accounts.cli:app",
    "backup": "portal.cli:backup_app",
    "budget": "portal.budget_cli:app",
    "consent": "portal.consent_cli:app",
    "demo": "portal.demo.cli:app",
    "doctor": "portal.demo.doctor:app",
    "images": "training.site.cli:app",
    "ledger": "ledger.cli:app",
    "model": "training.models.cli:app",
    "network": "ledger.network.cli:app",
    "omop": "training.site.omop_cli:app",
    "proof": "ledger.verify.cli:proof_app",
    "receipt": "ledger.verify.cli:receipt_app",
    "restore": "portal.cli:restore_app",
    "study": "portal.study_cli:app",
}
HELP = {
    "account": "Make accounts for a node's staff; give an account a new password.",
    "backup": "Copy a hospital's store, or the embedded ledger, to one file.",
    "budget": "Say what every hospital's privacy account has left, and what a plan would cost.",
    "consent": "Check what the rules of consent rest on; say what rests on a consent.",
    "demo": "Run the whole main job on real data and serve the portal.",
    "doctor": "Say what this machine has, lacks, and which command mends it.",
    "images": "Make the file of images or volumes that a hospital registers, from DICOM, PNG and NIfTI files.",
    "ledger": "Serve, export and verify the ledger; rebuild a projection of it.",
    "model": "Check a released model and its card; measure what trains each network.",
    "network": "Run a real Fabric network: one peer, one orderer and the contracts for each hospital.",
    "omop": "Make the file that a hospital registers from its OMOP tables.",
    "proof": "Check a patient's proof of being in a round, or of not being in it.",
    "receipt": "Check a patient's consent receipt offline.",
    "restore": "Put a backup back; no spend and no cohort is ever used twice.",
    "study": "Train an ended study again without what was withdrawn, at its price.",
}
GROUPED = {  # portal code under another package's name
    ("ledger", "rebuild-projection"): "portal.cli:rebuild_app",
    ("model", "keep"): "portal.model_cli:keep_app",
    ("model", "verify"): "portal.model_cli:app",
}


class Commands(click.Group):
    """The commands of COMMANDS, imported on first use, so that `covenant --help` needs no library of theirs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = load(COMMANDS[cmd_name])
        for (group, name), target in GROUPED.items():
            if group == cmd_name and isinstance(command, click.Group):
                command.add_command(load(target), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, HELP[name]) for name in sorted(COMMANDS)])


def load(target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    return typer.main.get_command(getattr(import_module(module), attribute))


@click.group(cls=Commands)
@click.version_option(package_name="covenant")
def cli() -> None:
    """Train medical AI together; every patient decides, sees and proves what their record was used for."""


def main() -> None:
    """Run the command line. A refusal is one line `code: message` (with `--json` an object) and exit status 1; 2 where
    the command was not understood.
    """
    try:
        status = cli(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        refuse("command.malformed", spelled(error))
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(1)
    except CovenantError as error:
        sys.exit(refuse(error.code, error.message))
    except OSError as error:
        sys.exit(refuse(*unusable(error)))
    sys.exit(status if isinstance(status, int) else 0)


def spelled(error: click.ClickException) -> str:
    """What is wrong with the command line, and which help to ask for, in one sentence."""
    context = getattr(error, "ctx", None)
    said = " ".join(error.format_message().split()).rstrip(".")
    return f"{said}; see {context.command_path if context else 'covenant'} --help"


def unusable(error: OSError) -> tuple[str, str]:
    """Code and message of a file or folder that cannot be used; raises `error` where it names none."""
    if error.errno == errno.ENOSPC:
        return "disk.full", "no space left on the device; free some and run the same command again"
    if error.filename is None:
        raise error
    return "disk.unusable", f"{error.filename} cannot be used ({error.strerror}): name another"


def refuse(code: str, message: str) -> int:
    if "--json" in sys.argv:
        print(json.dumps({"ok": False, "code": code, "message": message}))
    else:
        print(f"{code}: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
