"""The probes: one call of Decrypt each, with one thing wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha384
from types import MappingProxyType
from typing import Final

from attestation.measurements import CATALOGUE_PCR, CONFIGURATION_PCR, IMAGE_PCRS, PARENT_ROLE_PCR, ZERO
from strongroom.doctor.documents import DocumentMaker, GivenDocument, with_other_payload, with_other_signature

Call = Mapping[str, object]
"""Arguments of boto3's `decrypt`."""

_STALE_MS: Final = 2 * 3_600_000  # a leaf certificate lasts three hours
_EXPIRED_MS: Final = 4 * 3_600_000
_NO_KEY: Final = "key/00000000-0000-0000-0000-000000000000"
_SIMULATOR: Final = "needs --state of a simulator"
_MEASURED: Final = {
    0: ("other-image", "another image's PCR0"),
    PARENT_ROLE_PCR: ("other-parent-role", "another parent's role in PCR3"),
    CATALOGUE_PCR: ("other-catalogue", "another model catalogue in PCR16"),
    CONFIGURATION_PCR: ("other-configuration", "another deployment configuration in PCR17"),
}
SAMPLE_PCRS: Final = MappingProxyType(
    {index: sha384(b"strongroom doctor PCR%d" % index).digest() for index in (*IMAGE_PCRS, *_MEASURED)}
)
"""A measurement that no key policy lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What probes can be made of. `pcrs` is a measurement that the key policy admits, or a sample; `at_ms` is now.

    `trusted` makes documents under the root that this KMS trusts, which a simulator alone can; `stranger` under one
    that nobody trusts.
    """

    key_arn: str
    ciphertext: bytes
    context: Mapping[str, str]
    pcrs: Mapping[int, bytes]
    at_ms: int
    given: GivenDocument | None = None
    trusted: DocumentMaker | None = None
    stranger: DocumentMaker | None = None

    def call(
        self, document: bytes | None = None, *, key_arn: str | None = None, context: Mapping[str, str] | None = None
    ) -> Call:
        """Decrypt of the ciphertext as it should be asked for, but for what is given here."""
        recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}
        return {
            "KeyId": key_arn or self.key_arn,
            "CiphertextBlob": self.ciphertext,
            "EncryptionContext": dict(self.context if context is None else context),
            **({} if document is None else {"Recipient": recipient}),
        }

    def genuine(self) -> bytes | None:
        """A document that KMS should accept, as far as one can know; None where none can be had."""
        return self.made() if self.given is None else self.given.data

    def made(self, changed: Mapping[int, bytes] | None = None, *, age_ms: int = 0) -> bytes | None:
        """A document under the root that KMS trusts, with `changed` PCRs; None where none can be made."""
        return None if self.trusted is None else self.trusted({**self.pcrs, **(changed or {})}, self.at_ms - age_ms)


@dataclass(frozen=True, slots=True)
class Probe:
    """One call, or the reason why it cannot be made. Where `alarming`, an answer to it is an alarm."""

    name: str
    about: str
    call: Call | None
    impossible: str = ""
    alarming: bool = True


def probes(means: Means) -> Iterator[Probe]:
    """Every probe; the control and staleness, which KMS may well answer, come last."""
    genuine = means.genuine()
    yield Probe("no-document", "no document", means.call())
    foreign = None if means.stranger is None else means.stranger(means.pcrs, means.at_ms)
    about = "a document under a root that nobody trusts"
    yield _showing(means, "other-root", about, foreign, "needs strongroom[simulator], which makes it")
    yield from _altered(means, genuine)
    with_it = " with a document that KMS should accept" if genuine else ", and no document"
    other = {**means.context, "strongroom-doctor": "another context"}
    yield Probe("wrong-context", f"another encryption context{with_it}", means.call(genuine, context=other))
    no_key = f"{means.key_arn.rpartition(':')[0]}:{_NO_KEY}"
    yield Probe("foreign-key", f"another key's ARN{with_it}", means.call(genuine, key_arn=no_key))
    yield from _measured(means)
    expired = means.made(age_ms=_EXPIRED_MS)
    yield _showing(means, "expired", "a document whose certificate has expired", expired, _SIMULATOR)
    yield from _reported(means, genuine)


def _altered(means: Means, genuine: bytes | None) -> Iterator[Probe]:
    for name, about, alter in (
        ("altered-signature", "one bit of the signature flipped", with_other_signature),
        ("altered-payload", "one bit of PCR0 flipped, under the same signature", with_other_payload),
    ):
        document = None if genuine is None else alter(genuine)
        yield _showing(means, name, about, document, "needs --document, or --state of a simulator")


def _measured(means: Means) -> Iterator[Probe]:
    for index, (name, about) in _MEASURED.items():
        if index in means.pcrs:
            document = means.made({index: sha384(means.pcrs[index]).digest()})
            yield _showing(means, name, about, document, _SIMULATOR)
    yield _showing(
        means, "debug", "the zeros of a debug enclave", means.made(dict.fromkeys(IMAGE_PCRS, ZERO)), _SIMULATOR
    )


def _reported(means: Means, genuine: bytes | None) -> Iterator[Probe]:
    about, needed = "a document made now", "needs --document, or --state of a simulator"
    if means.given is not None:
        about = f"the document given, made {(means.at_ms - means.given.parsed.timestamp_ms) // 1000} s ago"
    yield _showing(means, "control", about, genuine, needed, alarming=False)
    stale = means.made(age_ms=_STALE_MS)
    yield _showing(means, "stale", "a document made two hours ago", stale, _SIMULATOR, alarming=False)


def _showing(
    means: Means, name: str, about: str, document: bytes | None, needed: str, *, alarming: bool = True
) -> Probe:
    if document is None:
        return Probe(name, about, None, needed, alarming)
    return Probe(name, about, means.call(document), alarming=alarming)
