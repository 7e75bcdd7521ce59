"""`strongroom proxy`: the egress proxy, which has no dependencies and therefore its own parser (`python -m proxy`)."""

import click

from strongroom.cli.failures import EXIT_USAGE, CommandFailed


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def proxy(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Serve the enclave's way out, to listed destinations only."""
    from proxy.arguments import UsageError
    from proxy.process import run

    try:
        run(arguments, context.command_path)
    except UsageError as error:
        raise CommandFailed("usage", f"{error}; see {context.command_path} --help", EXIT_USAGE) from None
    except SystemExit:  # the help was printed
        context.exit()
