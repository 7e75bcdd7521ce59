"""What to do about a rejection: one clause per class, for whoever reads the error."""

from attestation.errors import RejectionClass, RejectionCode

_ALTERED = "the document was damaged or made up: fetch it again, and distrust whoever served it if that repeats"
_ADVICE = {
    RejectionClass.WRONG_KIND: "say which kind you expect, an enclave's or a NitroTPM's",
    RejectionClass.UNTRUSTED_CHAIN: "check the trust anchor; under the AWS root, only Nitro hardware can satisfy it",
    RejectionClass.EXPIRED: "fetch a new document, or judge this one as archived; check your clock",
    RejectionClass.NOT_YET_VALID: "check your clock",
    RejectionClass.POLICY_MISMATCH: "compare the policy with the measurements of the release and of the deployment",
    RejectionClass.DEBUG: "the host reads a debug enclave: start it without debug mode",
    RejectionClass.STALE: "fetch a new document; check your clock",
    RejectionClass.NONCE_MISMATCH: "ask again with a new nonce; if that repeats, somebody replays documents",
    RejectionClass.SIMULATED: "only to try the simulator, allow simulated anchors; they prove nothing about hardware",
    RejectionClass.BINDING_MISMATCH: "fetch document and keys again; if that repeats, somebody swaps keys",
}


def advice_on(code: RejectionCode) -> str:
    """One clause that says what to do, without a full stop."""
    return _ADVICE.get(code.rejection_class, _ALTERED)
