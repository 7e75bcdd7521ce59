"""What must hold of an enclave after mutated requests."""

from strongroom.protocol.problems import Problem
from strongroom.simulator.appliance import Appliance
from tests.enclave.mutated.run import SEALED, Verdict

MAX_GROWN_BYTES = 16 << 20
FIXED = {int(each.status): each for each in (Problem.REJECTED, Problem.REPLAYED, Problem.TOO_LARGE, Problem.STALE_KEY)}
FIXED[int(Problem.BUSY.status)] = Problem.BUSY


def faults(verdict: Verdict, pid: int, appliance: Appliance) -> list[str]:
    """A sentence for each thing that does not hold."""
    enclave = appliance.parts["enclave"]
    found = [
        f"{status}: expected one of the fixed problems, in the same bytes each time"
        for status, answers in verdict.refusals.items()
        if status not in FIXED or len(answers) != 1 or not answers.pop().endswith(FIXED[status].to_bytes())
    ]
    if enclave.ended or enclave.process.pid != pid:
        found.append("expected the enclave's process to go on")
    if verdict.grown_bytes > MAX_GROWN_BYTES:
        found.append(f"expected at most {MAX_GROWN_BYTES} bytes of growth, got {verdict.grown_bytes}")
    if verdict.leaks:
        found.append(f"expected the canary nowhere, got it {verdict.leaks} times")
    if len(verdict.sealed_sizes) > 1 or len({len(each.to_bytes()) for each in FIXED.values()}) > 1:
        found.append(f"expected refusals of one size, sealed or not, got {sorted(verdict.sealed_sizes)} bytes sealed")
    if verdict.unforeseen:
        found.append(f"expected no error that nobody foresaw, got {verdict.unforeseen} in the enclave's log")
    if sum(verdict.statuses.values()) != verdict.cases or not verdict.statuses[SEALED]:
        found.append("expected an answer to every request, some of them sealed")
    return found
