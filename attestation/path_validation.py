"""A chain by pyca's own path validation (``cryptography.x509.verification``), for the second opinion only.

Its default policies refuse the profiles that AWS issues, whose leaf has neither AuthorityKeyIdentifier nor
SubjectAlternativeName. Hence extension policies of our own. Names, signatures, validity, cA, path lengths and unknown
critical extensions are the library's own rules, whatever a policy says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store


def validate_path(
    leaf: x509.Certificate, authorities: Sequence[x509.Certificate], anchor: bytes, instant: datetime
) -> None:
    """``leaf`` leads to ``anchor`` (DER) at ``instant`` through all ``authorities`` in their order, root first.

    Raises ValueError for another path, and whatever the library raises where it finds none.
    """
    _, *intermediates = authorities
    verifier = (
        PolicyBuilder()
        .store(Store([x509.load_der_x509_certificate(anchor)]))
        .max_chain_depth(len(intermediates))
        .time(instant)
        .extension_policies(ca_policy=_authority_policy(), ee_policy=_leaf_policy())
        .build_client_verifier()
    )
    if verifier.verify(leaf, intermediates).chain != [leaf, *reversed(authorities)]:
        raise ValueError("expected the path of the bundle, got another")


def _authority_policy() -> ExtensionPolicy:
    return (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.CRITICAL, None)
        .require_present(x509.KeyUsage, Criticality.AGNOSTIC, _check_signs_certificates)
        .require_not_present(x509.NameConstraints)
    )


def _leaf_policy() -> ExtensionPolicy:
    return (
        ExtensionPolicy.permit_all()
        .may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, _check_is_leaf)
        .require_present(x509.KeyUsage, Criticality.AGNOSTIC, _check_signs_data)
        .require_not_present(x509.NameConstraints)
    )


def _check_signs_certificates(policy: Policy, certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("expected keyCertSign, got none")


def _check_is_leaf(policy: Policy, certificate: x509.Certificate, constraints: x509.BasicConstraints | None) -> None:
    if constraints is not None and (constraints.ca or constraints.path_length is not None):
        raise ValueError("expected a leaf, got an authority")


def _check_signs_data(policy: Policy, certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.digital_signature:
        raise ValueError("expected digitalSignature, got none")
