import { Reader, ascii, concat, uint } from "./bytes.js";
import {
  IDENTIFIER,
  KEY_ID_BYTES,
  REQUEST_ID_BYTES,
  SALT_BYTES,
  SHA384_BYTES,
  SUITE_ENVELOPE,
  SUITE_X25519,
  SUITE_XWING,
} from "./constants.js";
import { Unsupported } from "./errors.js";

const REQUEST_MAGIC = concat(ascii("SRQ"), uint(1, 1));
const RESPONSE_MAGIC = concat(ascii("SRS"), uint(1, 1));
const WAYS_IN = [SUITE_XWING, SUITE_X25519, SUITE_ENVELOPE];

/** The clear head of a sealed request, all of it bound by the seal. Raises TypeError for a model id that is none. */
export function requestHead({ suite, keyId, requestId, timestampMs, model }) {
  if (!IDENTIFIER.test(model)) throw new TypeError("model: expected an id of lower-case letters, digits and . _ -");
  const id = ascii(model);
  return concat(REQUEST_MAGIC, uint(suite, 2), keyId, requestId, uint(timestampMs, 8), uint(id.length, 1), id);
}

/** The head at the front of a sealed request, and its length. Raises Malformed or Unsupported. */
export function readRequestHead(message) {
  const reader = new Reader(message, "sealed request");
  reader.magic(REQUEST_MAGIC);
  const suite = readWayIn(reader);
  const [keyId, requestId] = [reader.take(KEY_ID_BYTES), reader.take(REQUEST_ID_BYTES)];
  const timestampMs = new DataView(reader.take(8).buffer).getBigUint64(0);
  const model = String.fromCharCode(...reader.take(reader.integer(1)));
  if (!IDENTIFIER.test(model)) reader.refuse("a model id of lower-case letters, digits and . _ -");
  return { head: { suite, keyId, requestId, timestampMs, model }, size: reader.position };
}

export const RESPONSE_HEAD_BYTES = RESPONSE_MAGIC.length + 2 + REQUEST_ID_BYTES + SALT_BYTES + SHA384_BYTES;

/** The clear head of a sealed response: exactly RESPONSE_HEAD_BYTES. Raises Malformed or Unsupported. */
export function parseResponseHead(data) {
  const reader = new Reader(data, "sealed response");
  reader.magic(RESPONSE_MAGIC);
  const [suite, requestId] = [readWayIn(reader), reader.take(REQUEST_ID_BYTES)];
  const head = { suite, requestId, salt: reader.take(SALT_BYTES), documentDigest: reader.take(SHA384_BYTES) };
  reader.end();
  return head;
}

function readWayIn(reader) {
  const id = reader.integer(2);
  if (!WAYS_IN.includes(id)) throw new Unsupported(`suite: expected 1, 2 or 3, got ${id}`);
  return id;
}
