"""`strongroom serve-local`: the enclave for programs that know only OpenAI's API or the Open Inference Protocol."""

import asyncio
import secrets
import shlex
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.connection import session_options
from strongroom.cli.ending import interrupted_gently
from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded, write_private
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.parameters import state_folder

if TYPE_CHECKING:
    from strongroom.client.attested import AttestedKey
    from strongroom.client.endpoint.answering import Endpoint
    from strongroom.client.endpoint.listening import Listener
    from strongroom.client.proofs import Proof
    from strongroom.client.session import AttestedSession
    from strongroom.surfaces.refusals import Refused

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_KEY_BYTES = 1 << 10
_PAST_PROXIES = 'NO_PROXY="127.0.0.1,${NO_PROXY:-${no_proxy-}}" no_proxy="127.0.0.1,${no_proxy:-${NO_PROXY-}}"'
"""For a shell: whatever proxy its environment names would be sent what is asked, and the key, in the clear."""


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:0",
    show_default=True,
    metavar="ADDRESS",
    help="127.0.0.1:PORT (0 takes a free one) or unix:PATH; nothing that another machine can reach.",
)
@click.option("--api-key-file", type=_FILE, help="The bearer token to demand; without it a fresh one is printed.")
@click.option("--no-api-key", is_flag=True, help="Answer whoever runs on this machine.")
@click.option("--proofs", type=state_folder, metavar="DIR", help="Keep the proof bundle of each answer, by its id.")
@json_option
@session_options
def serve_local(
    listen: str,
    api_key_file: Path | None,
    no_api_key: bool,
    proofs: Path | None,
    as_json: bool,
    session: "AttestedSession",
) -> None:
    """Serve OpenAI's API (/v1) and the Open Inference Protocol (/v2) on this machine, until interrupted.

    The enclave is attested first, and nothing is served unless it satisfies the policy. Requests are sealed here:
    whatever program asks, the gateway sees sealed bytes. A UNIX socket is its owner's alone and needs no key. Proof
    bundles hold requests and answers; `strongroom receipt verify` judges them.

    \b
    Example:  strongroom serve-local --url https://gateway.example --policy policy.toml
              strongroom serve-local --url https://gateway.example --policy policy.toml --listen unix:enclave.sock
    """
    from strongroom.client.endpoint.answering import Endpoint
    from strongroom.client.endpoint.listening import listen as bind

    if api_key_file and no_api_key:
        raise CommandFailed("usage", "expected either --api-key-file or --no-api-key, got both", EXIT_USAGE)
    listener = bind(listen)
    try:
        key = _key(api_key_file, needed=not (no_api_key or listener.path))
        endpoint = Endpoint(session, keep_proof=_keeper(proofs), notice=_notice)
        asyncio.run(
            _serve(session, endpoint, listener, key, lambda attested: _announce(listener, key, attested, as_json))
        )
    finally:
        listener.close()


async def _serve(
    session: "AttestedSession",
    endpoint: "Endpoint",
    listener: "Listener",
    key: str | None,
    ready: Callable[["AttestedKey"], None],
) -> None:
    from strongroom.client.endpoint.guard import Guard
    from strongroom.client.endpoint.server import LocalServer

    stopped = asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(session.close)
        attested = await session.attest()
        server = LocalServer(endpoint, listener, Guard(listener.hosts, key))
        await server.start()
        stack.push_async_callback(server.close)
        with interrupted_gently(stopped.set):
            ready(attested)
            await stopped.wait()


def _key(file: Path | None, *, needed: bool) -> str | None:
    if file is None:
        return secrets.token_urlsafe(32) if needed else None
    try:
        key = read_bounded(file, _MAX_KEY_BYTES).decode("ascii").strip()
    except UnicodeDecodeError:
        key = ""
    if len(key) < 16 or not key.isprintable() or " " in key:
        raise CommandFailed("usage", f"{file}: expected one word of at least 16 characters, got another", EXIT_USAGE)
    return key


def _keeper(folder: Path | None) -> "Callable[[str, Proof], None] | None":
    if folder is None:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return lambda answer_id, proof: write_private(folder / f"{answer_id}.proof", proof.bundle(), "xb")


def _notice(refused: "Refused") -> None:
    """What its operator must see: an enclave that is not to be trusted, a gateway that does not answer."""
    if refused.status == 403 or refused.status >= 500:
        with suppress(OSError):  # whoever asks is told in any case
            click.echo(f"{refused.code}: {refused.message}", err=True)


def _announce(listener: "Listener", key: str | None, attested: "AttestedKey", as_json: bool) -> None:
    verified = attested.verified
    module, simulated = verified.document.module_id, verified.anchor.simulated
    if as_json:
        said = {"url": listener.url, "api_key": key, "module_id": module, "simulated": simulated}
        print_json({"event": "ready", "openai_base_url": _openai_url(listener), **said})
        return
    enclave = f"{module}{', SIMULATED: proves nothing about hardware' if simulated else ''}"
    rows = [("enclave", enclave), ("endpoint", listener.url), ("end", "Ctrl-C")]
    if listener.path is None:
        given = shlex.quote(key or "none")  # the stock client demands one
        click.echo(f"export OPENAI_BASE_URL={_openai_url(listener)} OPENAI_API_KEY={given} {_PAST_PROXIES}")
    print_table(rows)


def _openai_url(listener: "Listener") -> str:
    """Of a socket, a name that cannot resolve: who goes past the socket finds nobody, and not whoever has port 80."""
    return "http://strongroom.invalid/v1" if listener.path else f"{listener.url}/v1"
