// The enclave's half of the protocol, which the client has no use for: it opens what the client seals.
import { Reader, concat, equal } from "../src/bytes.js";
import { decode } from "../src/cbor/decode.js";
import { encode } from "../src/cbor/encode.js";
import { LABEL_ENVELOPE, LABEL_REQUEST, MAX_WRAPPED_KEY_BYTES, SALT_BYTES, SUITE_ENVELOPE } from "../src/constants.js";
import { keyAndNonce } from "../src/crypto.js";
import { keyEntryId } from "../src/envelopes.js";
import { Malformed, OpenFailed } from "../src/errors.js";
import { readRequestHead } from "../src/heads.js";
import { BODY_BUCKET_BYTES, unpad } from "../src/padding.js";
import { requestContext } from "../src/requests.js";
import { HPKESuite } from "../src/suites.js";

/** The head and the body of a request under HPKE; `pair` is { configuration, privateKey }. */
export async function openRequest(message, { configuration, privateKey }) {
  const { head, size } = readRequestHead(message);
  if (head.suite !== configuration.suite || !equal(head.keyId, await configuration.keyId())) throw new OpenFailed();
  const info = concat(LABEL_REQUEST, requestContext(message.slice(0, size), configuration.toBytes()));
  const plaintext = await new HPKESuite(head.suite).open(privateKey, info, message.slice(size));
  return { head, ...bodyOf(plaintext) };
}

/** The head, the body, and the salt of a KMS envelope; `entry` is { arn, context }, `dataKey` what KMS unwraps. */
export async function openEnvelope(message, entry, dataKey) {
  const { head, size } = readRequestHead(message);
  if (head.suite !== SUITE_ENVELOPE) throw new Malformed("KMS envelope: expected suite 3");
  const reader = new Reader(message.slice(size), "KMS envelope");
  const [salt, length] = [reader.take(SALT_BYTES), reader.integer(2)];
  if (length < 1 || length > MAX_WRAPPED_KEY_BYTES) reader.refuse("a wrapped data key");
  const wrapped = reader.take(length);
  if (!equal(head.keyId, await keyEntryId(entry))) throw new OpenFailed();
  const context = requestContext(message.slice(0, size), encode([entry.arn, entry.context]), wrapped);
  const { cipher, nonce } = await keyAndNonce(dataKey, salt, LABEL_ENVELOPE, context);
  return { head, salt, wrapped, ...bodyOf(await cipher.open(nonce, message.slice(size + reader.position), context)) };
}

function bodyOf(plaintext) {
  const body = unpad(plaintext, BODY_BUCKET_BYTES);
  return { body, request: decode(body, "request") };
}
