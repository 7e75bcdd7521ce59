"""The table of commands."""

import click

from strongroom.cli.lazy import LazyGroup
from strongroom.cli.readable import COLOUR

_TABLE = {
    "demo": ("strongroom.cli.demo", "demo", "Run the whole appliance on this machine and answer a prompt."),
    "chat": ("strongroom.cli.generate", "chat", "Send a sealed prompt and print the answer as it comes."),
    "complete": ("strongroom.cli.generate", "complete", "Have a text continued, sealed."),
    "embed": ("strongroom.cli.texts", "embed", "Turn texts into vectors, sealed."),
    "classify": ("strongroom.cli.texts", "classify", "Score texts by the labels of a model, sealed."),
    "tag": ("strongroom.cli.texts", "tag", "Find the labelled spans of texts, sealed."),
    "infer": ("strongroom.cli.infer", "infer", "Run a tensor model, sealed."),
    "describe": ("strongroom.cli.describe", "describe", "Show what a model takes and gives, by the enclave's word."),
    "serve-local": ("strongroom.cli.serve_local", "serve_local", "Serve OpenAI's API on this machine, sealed beyond."),
    "seal": ("strongroom.cli.seal", "seal", "Seal files that may rest for months, without an enclave."),
    "submit": ("strongroom.cli.submit", "submit", "Have sealed files answered, by anybody."),
    "open": ("strongroom.cli.open", "open_", "Open answers, once their evidence and receipts verified."),
    "status": ("strongroom.cli.status", "status", "Show what is attested, under which anchor, and what is not proved."),
    "verify": ("strongroom.cli.verify", "verify", "Judge an attestation document offline."),
    "inspect": ("strongroom.cli.inspect", "inspect", "Show what a document says, unverified."),
    "receipt": ("strongroom.cli.receipt", "receipt", "Verify receipts and proof bundles offline."),
    "audit": ("strongroom.cli.audit", "audit", "Verify audit logs that a gateway kept."),
    "eif": ("strongroom.cli.eif", "eif", "Build, sign, describe and measure enclave images."),
    "enclave": ("strongroom.cli.enclave", "enclave", "Plan, run and watch enclaves."),
    "deployment": ("strongroom.cli.deployment", "deployment", "Write, check and measure a deployment configuration."),
    "model": ("strongroom.cli.model", "model", "Build, catalogue and seal models."),
    "policy": ("strongroom.cli.policy", "policy", "Check policy files; compile and lint KMS key policies."),
    "kms": ("strongroom.cli.kms", "kms", "Ask KMS for what it must refuse."),
    "proxy": ("strongroom.cli.proxy", "proxy", "Serve the enclave's way out, to listed destinations only."),
    "logs": ("strongroom.cli.logs", "logs", "Read the enclave's log port."),
    "selftest": ("strongroom.cli.selftest", "selftest", "Attack client and enclave as an evil parent would."),
    "simulator": ("strongroom.cli.simulator", "simulator", "Parts of the appliance in software; never in an image."),
}


@click.command(
    cls=LazyGroup,
    table=_TABLE,
    context_settings={"help_option_names": ["-h", "--help"], "color": COLOUR},
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage; the client's own are listed in docs/operations.md.",
)
@click.version_option(package_name="strongroom")
def cli() -> None:
    """Confidential inference on AWS Nitro Enclaves: sealed prompts in, sealed answers out.

    \b
    Try:  strongroom demo
          strongroom verify --help
    """
