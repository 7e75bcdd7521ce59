import { Reader, ascii, concat, equal, uint } from "./bytes.js";
import { MAX_DOCUMENT_BYTES, MAX_KEYS_BYTES, PURPOSE, RECEIPT_KEY_BYTES } from "./constants.js";
import { sha384 } from "./crypto.js";
import { BindingRefused, Malformed } from "./errors.js";
import { parseKeyList } from "./keys.js";

const MAGIC = concat(ascii("SRE"), uint(1, 1));
const FIELDS = [
  ["document", 1, MAX_DOCUMENT_BYTES],
  ["keyList", 1, MAX_KEYS_BYTES],
  ["receiptKey", RECEIPT_KEY_BYTES, RECEIPT_KEY_BYTES],
];

/** The parts of evidence: `document`, `keyList`, `receiptKey`. Only lengths are judged. Raises Malformed. */
export function parseEvidence(data) {
  const reader = new Reader(data, "evidence");
  reader.magic(MAGIC);
  const fields = FIELDS.map(([name, least, most]) => {
    const length = reader.integer(4);
    if (length < least || length > most) throw new Malformed(`evidence: expected ${name} of ${least} to ${most} bytes`);
    return [name, reader.take(length)];
  });
  reader.end();
  return Object.fromEntries(fields);
}

/**
 * The key list of evidence, if a document binds it together with the receipt key.
 *
 * `verified` is what a verifier of attestation documents returned for `evidence.document`, under a policy:
 * its `userData` and `publicKey`, null when absent. This package verifies no documents.
 * Raises BindingRefused; Malformed or Unsupported for the list itself.
 */
export async function attestedKeys(evidence, verified) {
  if (verified.publicKey !== null) throw new BindingRefused("public key: expected none, got a document made for KMS");
  const statement = concat(await sha384(evidence.keyList), evidence.receiptKey);
  const expected = concat(uint(PURPOSE.length, 1), PURPOSE, uint(1, 1), await sha384(statement));
  if (!equal(verified.userData ?? [], expected)) {
    throw new BindingRefused("user data: expected the digest of this evidence");
  }
  return parseKeyList(evidence.keyList);
}
