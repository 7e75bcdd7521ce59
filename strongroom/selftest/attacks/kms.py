"""Attacks in KMS's place: what a forger at the proxy says to the frail enclave, running or booting."""

import asyncio
import time

from parent.errors import GatewayError
from strongroom.client.envelopes import EnvelopeSealer
from strongroom.selftest.attacks.forgers import FORGERS, recording, replaying
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.proxy import Forger, carry
from strongroom.selftest.trial import Attack, Inconclusive, Trial

_REST_MS = 3_600_000
_PATIENCE_S, _PAUSE_S = 15.0, 0.3
_REFUSALS = {400, 503}
_KMS = "forge KMS's answers, another key, another account's credentials"


async def forged_reply(trial: Trial) -> bool:
    """An envelope whose data key a forger "unwraps": the enclave answers nothing."""
    forger = await _replayer(trial) if trial.rng.random() < 0.2 else _forger(trial)
    status = await _ask_kms(trial, forger)
    if status not in _REFUSALS | {200}:
        raise Inconclusive(f"expected 400 or 503, got {status}")
    return status == 200


async def forged_at_boot(trial: Trial) -> bool:
    """Another boot, whose KMS is a forger: it gets no key, opens no API, or ends."""
    frail = trial.enclaves.frail
    await frail.kill()
    trial.world.answered.clear()
    await frail.start()
    await frail.configure()
    frail.proxy.turn(_forger(trial))
    try:
        await frail.release()
    except GatewayError:
        is_open = frail.socket("api").exists()
        frail.proxy.turn(carry)
        await _recover(frail)
        return is_open
    return True


async def _replayer(trial: Trial) -> Forger:
    """Plays back what KMS said to this enclave a moment ago."""
    recorded = bytearray()
    if (status := await _ask_kms(trial, recording(recorded))) != 200:
        raise Inconclusive(f"expected an answer through the honest KMS, got {status}")
    return replaying(bytes(recorded))


async def _ask_kms(trial: Trial, forger: Forger) -> int:
    """The status of the answer to an envelope whose data key the enclave had to ask for, through that forger."""
    frail = trial.enclaves.frail
    frail.proxy.turn(forger)
    before, deadline_s = frail.proxy.forged, time.monotonic() + _PATIENCE_S
    try:
        while time.monotonic() < deadline_s:
            reply = await frail.post(await _envelope(trial))
            if frail.proxy.forged > before:
                return reply.status
            await asyncio.sleep(_PAUSE_S)  # KMS failed a moment ago: it is asked once a second
    finally:
        frail.proxy.turn(carry)
    raise Inconclusive("expected the enclave to ask KMS, it did not")


async def _envelope(trial: Trial) -> bytes:
    """An envelope for the frail enclave, under a data key that it has never seen."""
    entry, question = trial.enclaves.frail.entry, trial.tensor().question
    data_key = await asyncio.to_thread(trial.world.operator.make_data_key, entry.arn, entry.fixed_context)
    at_ms = time.time_ns() // 1_000_000
    sealer = EnvelopeSealer(entry, *data_key)
    return sealer.seal(question.task, model=question.model, not_after_ms=at_ms + _REST_MS, at_ms=at_ms).sealed


def _forger(trial: Trial) -> Forger:
    return trial.rng.choice(FORGERS)(trial.rng, trial.world.folder / "forger")


async def _recover(frail: EnclaveHost) -> None:
    """An enclave that only lacks a KMS goes on with the honest one; any other is booted again."""
    try:
        await frail.release()
    except GatewayError:
        await frail.reboot()


FORGE_REPLY = Attack("forge-kms-reply", _KMS, forged_reply, weight=3)
FORGE_AT_BOOT = Attack("forge-kms-at-boot", _KMS, forged_at_boot)
