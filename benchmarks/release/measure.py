"""The whole run: the parts are started, the three measurements made one after the other, the parts stopped."""

from __future__ import annotations

import asyncio
import gc
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.release.account import Account
from benchmarks.release.crowd import Crowd, crowd
from benchmarks.release.enclave import Enclave
from benchmarks.release.envelopes import Envelopes, envelopes
from benchmarks.release.figures import GOOD, STALLED, Figures
from benchmarks.release.latency import race
from benchmarks.release.parts import Parts, running
from benchmarks.release.releases import by_boto3, by_enclave
from enclave.kms.client import KMSClient
from enclave.kms.data_keys import DataKeys
from strongroom.protocol.configuration import Limits, Windows

_DATA_KEYS = 10
_LATER_REQUESTS_EACH = 100


@dataclass(frozen=True)
class Size:
    """How much is measured: calls each way, connections that stall, connections that are served."""

    runs: int
    stalled: int
    good: int


FULL = Size(1000, STALLED, GOOD)
SHORT = Size(20, 6, 4)


def measure(size: Size) -> Figures:
    """Everything once. Raises PartFailed, EnclaveError, WrongKey."""
    with TemporaryDirectory() as folder, running(Path(folder)) as parts:
        enclave = Enclave(parts)
        account = Account(parts, enclave.measurements)
        key = account.new_data_key()
        with closing(enclave.client(account.parent)) as client, closing(account.plain(account.parent)) as plain:
            release = by_enclave(client, account.entry, key)
            latency = race(release, by_boto3(plain, account.entry, key, enclave.document()), size.runs)
            counted = _envelopes(parts, account, client)
        return Figures(client.leg.word, latency, _crowd(parts, enclave, account, size), counted)


def _envelopes(parts: Parts, account: Account, client: KMSClient) -> Envelopes:
    keys = [account.new_data_key() for _ in range(_DATA_KEYS)]
    with closing(DataKeys(client.unwrap, Limits(), Windows())) as cache:
        return asyncio.run(envelopes(cache, account.entry, keys, parts.kms_calls, each=_LATER_REQUESTS_EACH))


def _crowd(parts: Parts, enclave: Enclave, account: Account, size: Size) -> Crowd:
    key = account.new_data_key()
    with ExitStack() as stack:
        # A client of its own for each: one client's calls would share the connections that it keeps.
        clients = [stack.enter_context(closing(enclave.client(account.parent))) for _ in range(size.good)]
        # Nor does one enclave hold 100 botocores: a collection over all of them would stop every thread for a second.
        gc.collect()
        gc.freeze()
        stack.callback(gc.unfreeze)
        return crowd(parts, [by_enclave(client, account.entry, key) for client in clients], size.stalled)
