"""Prometheus' text format 0.0.4. Labels come from fixed sets: nothing that a caller chose is a label."""

from collections.abc import Iterator, Mapping

from proxy.counters import Counters, Outcome

_PREFIX = "strongroom_proxy_"


def exposition(counters: Counters) -> str:
    """All counters, each with its help and its type."""
    places = counters.places
    ended = {f'{{outcome="{outcome}"}}': counters.ended[outcome] for outcome in Outcome}
    bytes_carried = {
        '{direction="outbound"}': counters.outbound_bytes,
        '{direction="inbound"}': counters.inbound_bytes,
    }
    lines = (
        *_metric("connections_active", "gauge", "Connections served now.", {"": places.taken}),
        *_metric("connections_limit", "gauge", "Connections served at most.", {"": places.limit}),
        *_metric("connections_ended_total", "counter", "Connections served, by outcome.", ended),
        *_metric("connections_refused_total", "counter", "Connections closed at the limit.", {"": places.refused}),
        *_metric("accept_errors_total", "counter", "Accepts that failed.", {"": places.errors}),
        *_metric("bytes_total", "counter", "Bytes from the enclave (outbound) and to it.", bytes_carried),
    )
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, text: str, values: Mapping[str, int]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {text}"
    yield f"# TYPE {_PREFIX}{name} {kind}"
    for labels, value in values.items():
        yield f"{_PREFIX}{name}{labels} {value}"
