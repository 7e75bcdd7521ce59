"""Every failure at the command line: one line on standard error that says what to do, an exit code, no traceback."""

import json
import sys

import click

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class CommandFailed(click.ClickException):
    """A command's own failure, with a code for `--json`."""

    def __init__(self, code: str, message: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.code, self.status = code, exit_code


def run(command: click.Command) -> int:
    """Run a command and give the process's exit code."""
    try:
        result = command.main(standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except Exception as error:
        known = _known(error)
        if known is None:
            raise
        return _report(known)
    return result if isinstance(result, int) else 0


def _report(failure: CommandFailed) -> int:
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": {"code": failure.code, "message": failure.message}}))
    click.echo(f"error: {failure.message}", err=True)
    return failure.status


def _known(error: Exception) -> CommandFailed | None:
    """The failure that an expected error is, or None for a defect of ours."""
    if isinstance(error, CommandFailed):
        return error
    if isinstance(error, click.ClickException):
        return CommandFailed("failed", error.message, error.exit_code)
    if isinstance(error, OSError):
        return CommandFailed("file", f"{error.filename or 'input'}: {error.strerror or 'cannot be used'}", EXIT_USAGE)
    code, exit_code = getattr(error, "code", None), getattr(error, "exit_code", EXIT_FAILED)
    if type(error).__module__.split(".")[0] in ("attestation", "strongroom"):
        return CommandFailed(str(code or "invalid"), str(error), int(exit_code))
    return None
