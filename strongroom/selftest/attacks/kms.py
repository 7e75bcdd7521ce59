"""Attacks in KMS's place: what a forger at the proxy says to the frail enclave, running or booting."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from parent.errors import GatewayError
from strongroom.client.envelopes import EnvelopeSealer
from strongroom.protocol.constants import DATA_KEY_BYTES
from strongroom.selftest.attacks.forgers import FORGERS, MakeForger, recording, replaying
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.proxy import Forger, carry
from strongroom.selftest.trial import Attack, Inconclusive, Trial

MakeDataKey = Callable[[Trial], Awaitable[tuple[bytes, bytes]]]
"""A data key, and what it is wrapped in."""
_REST_MS = 3_600_000
_WRAPPED_BYTES = 184
_PATIENCE_S, _PAUSE_S = 15.0, 0.3
_REFUSALS = {400, 503}
_KMS = "forge KMS's answers, another key, another account's credentials"


async def forged_reply(trial: Trial) -> bool:
    """Envelopes under data keys of the parent's own, which each forger "unwraps": the enclave answers none."""
    statuses = [await _ask_kms(trial, await _replayer(trial), _wrapped_by_kms)]
    for make in FORGERS:
        key = trial.rng.randbytes(DATA_KEY_BYTES)
        statuses.append(await _ask_kms(trial, _made(make, trial, key), partial(_wrapped_by_nobody, key)))
    if not set(statuses) <= _REFUSALS | {200}:
        raise Inconclusive(f"expected 400 or 503, got {statuses}")
    return 200 in statuses


async def forged_at_boot(trial: Trial) -> bool:
    """Another boot, whose KMS is a forger: it gets no key, opens no API, or ends."""
    frail = trial.enclaves.frail
    await frail.kill()
    trial.world.answered.clear()
    await frail.start()
    await frail.configure()
    frail.proxy.turn(_made(trial.rng.choice(FORGERS), trial, trial.rng.randbytes(DATA_KEY_BYTES)))
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
    if (status := await _ask_kms(trial, recording(recorded), _wrapped_by_kms)) != 200:
        raise Inconclusive(f"expected an answer through the honest KMS, got {status}")
    return replaying(bytes(recorded))


async def _ask_kms(trial: Trial, forger: Forger, data_key: MakeDataKey) -> int:
    """The status of the answer to an envelope whose data key the enclave had to ask for, through that forger."""
    frail = trial.enclaves.frail
    frail.proxy.turn(forger)
    before, deadline_s = frail.proxy.forged, time.monotonic() + _PATIENCE_S
    try:
        while time.monotonic() < deadline_s:
            reply = await frail.post(await _envelope(trial, data_key))
            if frail.proxy.forged > before:
                return reply.status
            await asyncio.sleep(_PAUSE_S)  # KMS failed a moment ago: it is asked once a second
    finally:
        frail.proxy.turn(carry)
    raise Inconclusive("expected the enclave to ask KMS, it did not")


async def _wrapped_by_kms(trial: Trial) -> tuple[bytes, bytes]:
    entry = trial.enclaves.frail.entry
    return await asyncio.to_thread(trial.world.operator.make_data_key, entry.arn, entry.fixed_context)


async def _wrapped_by_nobody(key: bytes, trial: Trial) -> tuple[bytes, bytes]:
    return key, trial.rng.randbytes(_WRAPPED_BYTES)


async def _envelope(trial: Trial, data_key: MakeDataKey) -> bytes:
    """An envelope for the frail enclave, under a data key that it has never seen."""
    entry, question = trial.enclaves.frail.entry, trial.tensor().question
    at_ms = time.time_ns() // 1_000_000
    sealer = EnvelopeSealer(entry, *await data_key(trial))
    return sealer.seal(question.task, model=question.model, not_after_ms=at_ms + _REST_MS, at_ms=at_ms).sealed


def _made(make: MakeForger, trial: Trial, key: bytes) -> Forger:
    return make(trial.rng, trial.world.folder / "forger", key)


async def _recover(frail: EnclaveHost) -> None:
    """An enclave that only lacks a KMS goes on with the honest one; any other is booted again."""
    try:
        await frail.release()
    except GatewayError:
        await frail.reboot()


FORGE_REPLY = Attack("forge-kms-reply", _KMS, forged_reply)
FORGE_AT_BOOT = Attack("forge-kms-at-boot", _KMS, forged_at_boot)
