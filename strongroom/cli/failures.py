"""Every failure at the command line: one line on standard error that says what to do, an exit code, no traceback."""

import json
import os
import sys
from contextlib import suppress
from io import TextIOWrapper

import click

from strongroom.cli.readable import escaped

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class CommandFailed(click.ClickException):
    """A command's own failure, with a code for `--json`."""

    def __init__(self, code: str, message: str, exit_code: int = EXIT_FAILED, reason: str | None = None) -> None:
        super().__init__(message)
        self.code, self.status, self.reason = code, exit_code, reason

    def to_json(self) -> str:
        """One line; `reason` is the verifier's or the enclave's own code, null when neither spoke."""
        return json.dumps({"error": {"code": self.code, "reason": self.reason, "message": self.message}})


def run(command: click.Command) -> int:
    """Run a command and give the process's exit code."""
    if sys.stdout is None:  # before anything is asked: an answer would be lost, and a file opened would be its heir
        message = "expected standard output, got none: it is closed; what is not wanted goes to /dev/null"
        return _report(CommandFailed("usage", message, EXIT_USAGE))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an answer can hold what the terminal's encoding has not
    return _flushed(_run(command))


def _run(command: click.Command) -> int:
    try:
        result = command.main(standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:  # its text is the help, many lines of our own
        click.echo(error.message, err=True)
        return EXIT_USAGE
    except click.UsageError as error:
        help_text = f"{error.ctx.command_path if error.ctx else 'strongroom'} --help"
        return _report(CommandFailed("usage", f"{error.format_message()} See: {help_text}", EXIT_USAGE))
    except click.exceptions.Exit as error:
        return error.exit_code
    except Exception as error:
        failure = known(error)
        if failure is None:
            raise
        return _report(failure)
    return result if isinstance(result, int) else 0


def _flushed(code: int) -> int:
    """What could not be written must not look done, nor be tried again, loudly, when the interpreter ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or EXIT_FAILED
    return code


def _report(failure: CommandFailed) -> int:
    _print_as_json(failure)
    with suppress(OSError):  # the exit code tells it too
        click.echo(f"error: {escaped(failure.message)}", err=True)
    return failure.status


def _print_as_json(failure: CommandFailed) -> None:
    if "--json" in sys.argv:
        with suppress(OSError):
            click.echo(failure.to_json())


def known(error: Exception) -> CommandFailed | None:
    """The failure that an expected error is, or None for a defect of ours."""
    if isinstance(error, CommandFailed):
        return error
    if isinstance(error, click.ClickException):
        return CommandFailed("failed", error.message, error.exit_code)
    if isinstance(error, FileExistsError):
        return CommandFailed("file", f"{error.filename}: it exists; remove it or choose another name", EXIT_USAGE)
    if isinstance(error, OSError):
        what = error.filename or "input or output"
        return CommandFailed("file", f"{what}: {error.strerror or 'cannot be used'}", EXIT_USAGE)
    if isinstance(error, UnicodeError):
        return CommandFailed("text", "expected arguments in valid Unicode, got a lone surrogate", EXIT_USAGE)
    if isinstance(error, ModuleNotFoundError):
        return _missing(error)
    return _ours(error)


def _missing(error: ModuleNotFoundError) -> CommandFailed | None:
    """A package of an extra that is not installed, unless the name is one of our own modules."""
    name = (error.name or "").split(".")[0]
    if name in ("", "attestation", "enclave", "parent", "proxy", "strongroom"):
        return None
    advice = (
        "install strongroom[client] to ask, strongroom[seal] to seal files, strongroom[audit] for a second opinion, "
        "strongroom[models] to build models, strongroom[simulator] for all"
    )
    return CommandFailed("not-installed", f"expected the package {name}, which is not installed: {advice}", EXIT_USAGE)


def _ours(error: Exception) -> CommandFailed | None:
    from attestation.errors import PolicyError

    if type(error).__module__.split(".")[0] not in ("attestation", "parent", "strongroom"):
        return None
    if isinstance(error, PolicyError):  # nothing was judged: a policy, an anchor or a nonce that cannot be used
        return CommandFailed("policy", str(error), EXIT_USAGE)
    code, exit_code = getattr(error, "code", None), getattr(error, "exit_code", EXIT_FAILED)
    return CommandFailed(str(code or "invalid"), str(error), int(exit_code), getattr(error, "reason", None))
