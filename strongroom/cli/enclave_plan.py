"""`strongroom enclave plan`: the arithmetic of memory and CPUs, on any machine, before an instance is paid for."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.enclave_sizing import eif_option, needs_of, sizing_options
from strongroom.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from parent.lifecycle.instances import Instance
    from parent.lifecycle.plan import Size


@click.command()
@eif_option
@sizing_options
@click.option("--instance-type", help="Such as m7i.xlarge; see below for types that are not known here.")
@click.option("--vcpus", type=click.IntRange(2, 1024), help="Of the instance, in place of its type.")
@click.option("--instance-memory-mib", type=click.IntRange(1024, 1 << 26), help="Likewise.")
@click.option("--threads-per-core", type=click.IntRange(1, 2), default=2, show_default=True, help="Likewise.")
@json_option
def plan(
    eif: Path,
    models: tuple[Path, ...],
    configuration: Path | None,
    enclaves: int,
    cpus: int,
    instance_type: str | None,
    vcpus: int | None,
    instance_memory_mib: int | None,
    threads_per_core: int,
    as_json: bool,
) -> None:
    """Show what enclaves of an EIF and its models take of an instance, line by line, and whether they fit.

    Without --configuration the models are all loaded at once; with it they take turns in its model_memory_mib. Nothing
    is started or written. The estimate of a model is the enclave's own (docs/boot.md).

    Exit 0 it fits, 1 it does not, with the line that does not, or the EIF is not sound or the type not known; 2 wrong
    usage.

    \b
    Examples:
      strongroom enclave plan --eif strongroom.eif --model .models/smollm2-135m --instance-type m7i.xlarge
      strongroom enclave plan --eif strongroom.eif --configuration deployment.toml --enclaves 2 --cpus 4 \\
        --vcpus 16 --instance-memory-mib 65536
    """
    from parent.lifecycle.image import Image
    from parent.lifecycle.plan import check_fits, size

    instance = _instance(instance_type, vcpus, instance_memory_mib, threads_per_core)
    sized = size(needs_of(Image.check(eif), models, configuration), enclaves=enclaves, cpus=cpus)
    if not as_json:
        _show(sized, eif)
    left = check_fits(sized, instance)
    if as_json:
        print_json(_to_json(sized, instance))
    else:
        print_table([("fits", line) for line in left])


def _instance(name: str | None, vcpus: int | None, memory_mib: int | None, threads_per_core: int) -> "Instance":
    from parent.lifecycle.instances import Instance

    if name is not None and vcpus is None and memory_mib is None:
        return Instance.of_type(name)
    if name is None and vcpus is not None and memory_mib is not None:
        return Instance(vcpus, memory_mib, threads_per_core)
    raise click.UsageError("expected either --instance-type, or --vcpus and --instance-memory-mib.")


def _show(sized: "Size", eif: Path) -> None:
    print_table([(line.what, f"{line.mib:7} MiB") for line in sized.lines])
    run = f"strongroom enclave run nitro --eif {shlex.quote(str(eif))} --memory-mib {sized.memory_mib}"
    print_table(
        [
            ("each enclave", f"{sized.memory_mib} MiB, {sized.cpus} CPUs"),
            ("allocator", f"memory_mib: {sized.total_memory_mib}, cpu_count: {sized.total_cpus}"),
            ("run", f"{run} --cpus {sized.cpus} --enclaves {sized.enclaves} --policy policy.toml"),
        ]
    )


def _to_json(sized: "Size", instance: "Instance") -> dict[str, object]:
    return {
        "lines": [{"what": line.what, "mib": line.mib} for line in sized.lines],
        "enclaves": sized.enclaves,
        "memory_mib": sized.memory_mib,
        "cpus": sized.cpus,
        "allocator": {"memory_mib": sized.total_memory_mib, "cpu_count": sized.total_cpus},
        "instance": {
            "vcpus": instance.vcpus,
            "memory_mib": instance.memory_mib,
            "threads_per_core": instance.threads_per_core,
        },
    }
