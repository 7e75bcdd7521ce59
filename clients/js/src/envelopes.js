import { concat, uint } from "./bytes.js";
import { encode } from "./cbor/encode.js";
import {
  DATA_KEY_BYTES,
  LABEL_ENVELOPE,
  LABEL_KEY_ENTRY,
  MAX_REST_MS,
  MAX_WRAPPED_KEY_BYTES,
  SALT_BYTES,
  SUITE_ENVELOPE,
} from "./constants.js";
import { keyAndNonce, sha256 } from "./crypto.js";
import { requestHead } from "./heads.js";
import { pad } from "./padding.js";
import { answerMediaType, freshIds, requestBody, requestContext, withinLimit } from "./requests.js";

/** The KMS key and the encryption context of a request key entry, as one canonical value. */
const keyEntry = ({ arn, context }) => encode([arn, context]);

/** What an envelope names its key entry by. */
export const keyEntryId = async (entry) => sha256(concat(LABEL_KEY_ENTRY, keyEntry(entry)));

/**
 * Seal a task under a data key that KMS wrapped (GenerateDataKey) under the entry's ARN and encryption context.
 *
 * `entry` is { arn, context }, `dataKey` { plaintext (32 bytes), wrapped }, `rest` { notAfterMs, singleUse }:
 * until when and whether once. The result is as sealRequest's; it may lie anywhere until then.
 * Raises TypeError, TooLarge.
 */
export async function sealEnvelope(task, entry, dataKey, { model, rest, stream = false, atMs = Date.now() }) {
  const { requestId, secret } = freshIds();
  const salt = globalThis.crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const body = requestBody({
    secret,
    stream,
    task,
    rest: { not_after_ms: rest.notAfterMs, single_use: rest.singleUse },
  });
  checkRest(rest.notAfterMs - atMs);
  const message = await sealUnder(entry, dataKey, { requestId, timestampMs: atMs, model }, salt, body);
  return { message, secret, mediaType: answerMediaType(stream) };
}

function checkRest(restMs) {
  if (!(restMs > 0 && restMs <= MAX_REST_MS)) throw new TypeError("rest: expected notAfterMs within 400 days");
}

function checkDataKey({ plaintext, wrapped }) {
  if (plaintext.length !== DATA_KEY_BYTES) throw new TypeError(`data key: expected ${DATA_KEY_BYTES} bytes`);
  if (wrapped.length < 1 || wrapped.length > MAX_WRAPPED_KEY_BYTES) {
    throw new TypeError(`wrapped data key: expected 1 to ${MAX_WRAPPED_KEY_BYTES} bytes`);
  }
}

/** The message around an encoded body, under a salt that was never used with this data key. */
export async function sealUnder(entry, dataKey, fields, salt, body) {
  checkDataKey(dataKey);
  const head = requestHead({ ...fields, suite: SUITE_ENVELOPE, keyId: await keyEntryId(entry) });
  const context = requestContext(head, keyEntry(entry), dataKey.wrapped);
  const { cipher, nonce } = await keyAndNonce(dataKey.plaintext, salt, LABEL_ENVELOPE, context);
  const ciphertext = await cipher.seal(nonce, pad(body), context);
  return withinLimit(concat(head, salt, uint(dataKey.wrapped.length, 2), dataKey.wrapped, ciphertext));
}
