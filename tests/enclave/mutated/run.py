"""Judging a running enclave under mutated requests: what it answers, what it keeps, whether it is still the same."""

import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from attestation.evidence import Evidence
from strongroom.protocol.configuration import DeploymentConfiguration
from strongroom.protocol.keys import KeyList
from strongroom.simulator.appliance import Appliance
from strongroom.simulator.operator import Operator
from tests.enclave.mutated.cases import Cases
from tests.enclave.mutated.log_reader import LogReader
from tests.enclave.mutated.sealers import CANARY, EnvelopeSealer, LiveSealer, Sealer
from tests.enclave.mutated.wire import body_of, exchanges

WARM_UP = 2000
SEALED = 200
UNFORESEEN = b'"code":"unforeseen"'


@dataclass
class Verdict:
    """What was seen. `refusals`: every different answer that was not sealed, by status."""

    cases: int
    statuses: Counter[int] = field(default_factory=Counter)
    refusals: dict[int, set[bytes]] = field(default_factory=dict)
    sealed_sizes: set[int] = field(default_factory=set)
    """Lengths of the sealed answers' bodies: a failure inside the seal looks like any other (R20)."""
    leaks: int = 0
    unforeseen: int = 0
    """Errors of the enclave's own making, by its log: outside they look like any busy enclave."""
    reached: int = 0
    grown_bytes: int = 0
    seconds: float = 0.0

    def add(self, status: int, answer: bytes) -> None:
        """Count one answer."""
        self.statuses[status] += 1
        self.leaks += CANARY in answer
        if status == SEALED:
            self.sealed_sizes.add(len(body_of(answer)))
        else:
            self.refusals.setdefault(status, set()).add(answer)


def judge(appliance: Appliance, cases: int, seed: int) -> Verdict:
    """Send them to the enclave's own socket. Raises ConnectionError if it cuts a connection, or is gone."""
    verdict, enclave = Verdict(cases), appliance.parts["enclave"]
    supply = Cases(_sealers(appliance), seed, lambda: time.time_ns() // 1_000_000)
    messages, path = iter(supply), appliance.folder / "api.sock"
    with LogReader(appliance.folder / "log.sock") as log:
        for status, answer in exchanges(path, islice(messages, WARM_UP)):
            verdict.add(status, answer)
        before, started = _resident_bytes(enclave.process.pid), time.monotonic()
        for status, answer in exchanges(path, islice(messages, cases - WARM_UP)):
            verdict.add(status, answer)
        verdict.seconds = time.monotonic() - started
        verdict.grown_bytes = _resident_bytes(enclave.process.pid) - before
    verdict.leaks += enclave.log_path.read_bytes().count(CANARY) + log.found(CANARY)
    verdict.unforeseen = log.found(UNFORESEEN)
    verdict.reached = supply.reached
    return verdict


def _sealers(appliance: Appliance) -> list[Sealer]:
    """By HPKE to each key of the enclave, and with a data key of each key entry for requests."""
    with urllib.request.urlopen(f"{appliance.endpoint.url}/v1/evidence", timeout=10) as answer:
        keys = KeyList.from_bytes(Evidence.from_bytes(answer.read()).key_list)
    port = appliance.parts["kms"].wait_announced(1)["port"]
    operator = Operator(appliance.folder, f"https://127.0.0.1:{port}")
    configuration = DeploymentConfiguration.from_bytes(appliance.deployment.configuration.read_bytes())
    entries = [entry for entry in configuration.key if entry.purpose == "request"]
    envelopes = [EnvelopeSealer(each, *operator.make_data_key(each.arn, each.fixed_context)) for each in entries]
    return [*(LiveSealer.to(each) for each in keys.configurations), *envelopes]


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024
