"""`strongroom simulator`: the software stand-ins for AWS, for development and tests."""

from pathlib import Path

import click

from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.parameters import hex_bytes, pinned_pcr, state_folder
from strongroom.cli.readable import pcr_rows

_MAX_KEY_FILE_BYTES = 65_536
_STATE = click.option(
    "--state", type=state_folder, metavar="DIR", required=True, help="State folder; made when missing."
)


@click.group(
    epilog="The first command that needs a state folder makes it; each folder has a root of its own, "
    "named SIMULATED - NOT AWS. Exit codes: 0 done, 1 failed, 2 wrong usage."
)
def simulator() -> None:
    """The appliance's parts in software; `enclave run simulator` has all. They prove nothing about Nitro hardware."""


@simulator.command("kms")
@_STATE
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 picks a free port.")
@click.option("--tls", is_flag=True, help="Serve TLS under the state folder's own CA; plain HTTP without it.")
def kms(state: Path, port: int, tls: bool) -> None:
    """Serve the dev KMS on 127.0.0.1 until interrupted; prints one JSON line when it listens.

    It verifies attestation documents under the state folder's root and evaluates key policies. Any credentials do:
    unknown ones are the root of account 000000000000. Its keys live as long as the process. Access keys of roles, to
    try a policy that names one, are read from credentials.json in the state folder, whenever it changes:

    \b
      {"AKIAEXAMPLE": {"role_arn": "arn:aws:iam::000000000000:role/parent", "secret_access_key": "any"}}

    \b
    Example:  strongroom simulator kms --state ./simulated --port 4566 &
              export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_REGION=us-east-1
              aws --endpoint-url http://127.0.0.1:4566 kms create-key
    """
    from strongroom.simulator.kms.server import serve

    serve(state, port, tls=tls)


@simulator.command("attest")
@_STATE
@click.option(
    "--public-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="SubjectPublicKeyInfo in DER; for KMS, of an RSA key.",
)
@click.option("--nonce", type=hex_bytes, metavar="HEX", help="At most 512 bytes.")
@click.option("--user-data", type=hex_bytes, metavar="HEX", help="At most 512 bytes.")
@click.option(
    "--pcr",
    "pcrs",
    type=pinned_pcr,
    multiple=True,
    metavar="N=HEX",
    help="PCR N (0 to 31) holds these 48 bytes; repeat for others. Zeros in 0 to 2 are a debug enclave's.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="Where to write the document; what is there is replaced.",
)
@json_option
def attest(
    state: Path,
    public_key: Path,
    nonce: bytes | None,
    user_data: bytes | None,
    pcrs: tuple[tuple[int, bytes], ...],
    out: Path,
    as_json: bool,
) -> None:
    """Write an attestation document, valid for three hours, under the state folder's root.

    It lists PCR0 to PCR15, as every enclave's does, and those above that are given. Where none is given, PCR0 to PCR2
    hold fixed samples, PCR3 and PCR4 follow from a sample role and instance, and the others are zero.

    \b
    Example:  openssl genrsa -out key.pem 2048
              openssl pkey -in key.pem -pubout -outform DER -out key.der
              strongroom simulator attest --state ./simulated --public-key key.der --out document.cbor
    """
    from strongroom.simulator.attest import SAMPLE_MODULE, AttestRequest
    from strongroom.simulator.attest import attest as attested
    from strongroom.simulator.nsm import wall_clock_ms
    from strongroom.simulator.pki import SimulatedPKI

    if len(dict(pcrs)) != len(pcrs):
        raise CommandFailed("usage", "expected each PCR once, got one twice", EXIT_USAGE)
    request = AttestRequest(read_bounded(public_key, _MAX_KEY_FILE_BYTES), nonce, user_data, dict(pcrs))
    at_ms = wall_clock_ms()
    document = attested(SimulatedPKI.open(state), request, at_ms=at_ms)
    out.write_bytes(document)
    values = {str(index): value.hex() for index, value in request.all_pcrs().items()}
    if as_json:
        said = {"module_id": SAMPLE_MODULE, "timestamp_ms": at_ms, "pcrs": values}
        print_json({"simulated": True, "out": str(out), "bytes": len(document), **said})
    else:
        written = f"{out}, {len(document)} bytes; simulated, proves nothing about hardware"
        print_table([("document", written), *pcr_rows(values, "enclave")])


@simulator.command("root")
@_STATE
@json_option
def root(state: Path, as_json: bool) -> None:
    """Print the state folder's root certificate (PEM): the trust anchor to give to --trust-anchor.

    \b
    Example:  strongroom simulator root --state ./simulated > root.pem
              strongroom verify document.cbor --trust-anchor root.pem --allow-simulated --recent --any-measurement
    """
    from attestation.anchors import SimulatedTrustAnchor
    from strongroom.simulator.pki import SimulatedPKI

    pem = SimulatedPKI.open(state).root_pem()
    if as_json:
        print_json({"pem": pem.decode(), "sha256": SimulatedTrustAnchor.from_pem(pem).sha256})
    else:
        click.echo(pem.decode(), nl=False)


@simulator.command("measure")
@json_option
def measure(as_json: bool) -> None:
    """Print PCR0 to PCR2 of the simulated image: they follow from the measured modules installed here.

    \b
    Example:  strongroom simulator measure --json
    """
    from strongroom.simulator.image import image_pcrs

    values = {f"pcr{index}": value.hex() for index, value in image_pcrs().items()}
    if as_json:
        print_json({"simulated": True, **values})
    else:
        print_table([("image", "simulated; no EIF has these values"), *values.items()])
