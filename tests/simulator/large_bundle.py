"""The largest bundle that a document may hold: a sound chain of eight authorities, 1,024 bytes each."""

from dataclasses import replace
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from attestation.anchors import SimulatedTrustAnchor
from strongroom.simulator.pki import Signer
from tests.attestation import forge

AUTHORITY_BYTES = 1024
AT_MS = forge.NOW_MS
MODULE_ID = forge.MODULE_ID

_PADDING = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")


class LargeBundle:
    """A PKI for `SoftwareNSM` whose leaf has `leaf_bytes`, 600 to 1,024; good for `MODULE_ID` at `AT_MS`."""

    def __init__(self, leaf_bytes: int = AUTHORITY_BYTES) -> None:
        authorities, instance_key = _authorities()
        self._bundle, leaf = authorities, forge.specs()[-1]
        self._leaf_key = forge.key("a large bundle's leaf")
        self._leaf = _padded(leaf, leaf_bytes, _instance().name, self._leaf_key, instance_key)

    @property
    def anchor(self) -> SimulatedTrustAnchor:
        """The root of the chain."""
        return SimulatedTrustAnchor(self._bundle[0])

    def signer(self, module_id: str, *, at_ms: int) -> Signer:
        """See `strongroom.simulator.nsm.Issuer`."""
        assert (module_id, at_ms) == (MODULE_ID, AT_MS)
        return Signer(self._leaf, self._bundle, self._leaf_key, AT_MS, AT_MS + 7_200_000)


def _instance() -> forge.Spec:
    return forge.specs()[-2]


@cache
def _authorities() -> tuple[tuple[bytes, ...], ec.EllipticCurvePrivateKey]:
    """Root, regional and six more down to the instance, and the instance's key."""
    root, regional, *_ = forge.specs()
    between = [replace(regional, name=f"authority {number}") for number in range(6)]
    listed = [root, *between, _instance()]
    for below, position in enumerate(range(len(listed) - 1, 0, -1)):
        listed[position] = replace(listed[position], constraints=x509.BasicConstraints(ca=True, path_length=below))
    certificates: list[bytes] = []
    issuer_name, issuer_key = root.name, forge.key("a large bundle's root")
    for spec in listed:
        own = forge.key(f"a large bundle's {spec.name}")
        certificates.append(_padded(spec, AUTHORITY_BYTES, issuer_name, own, issuer_key))
        issuer_name, issuer_key = spec.name, own
    return tuple(certificates), issuer_key


def _padded(
    spec: forge.Spec, size: int, issuer_name: str, own: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey
) -> bytes:
    """The certificate in exactly `size` bytes: its signature's length varies, so it is made until it fits."""
    length = size // 3
    while True:
        padding = (x509.UnrecognizedExtension(_PADDING, bytes(length)), False)
        certificate = forge._certificate(replace(spec, extensions=(padding,)), issuer_name, own, issuer)
        if len(certificate) == size:
            return certificate
        length += size - len(certificate)
