import { checkTask } from "./bounds.js";
import { ascii, concat, prefixed } from "./bytes.js";
import { encode } from "./cbor/encode.js";
import {
  LABEL_REQUEST,
  MAX_SEALED_REQUEST_BYTES,
  MEDIA_SEALED_REQUEST,
  MEDIA_SEALED_RESPONSE,
  MEDIA_SEALED_STREAM,
  PATH_SEALED,
  REQUEST_ID_BYTES,
  SECRET_BYTES,
} from "./constants.js";
import { TooLarge } from "./errors.js";
import { requestHead } from "./heads.js";
import { pad } from "./padding.js";
import { HPKESuite } from "./suites.js";

/** What binds a request to its place: docs/protocol.md, sealed request. */
export const requestContext = (...fields) =>
  prefixed(ascii("POST"), ascii(PATH_SEALED), ascii(MEDIA_SEALED_REQUEST), ...fields);

/**
 * Seal a task for the holder of an attested key, under a fresh request id and a fresh secret.
 *
 * Returns what to send (`message`), and what opens the answer to it and no other (`secret`, `mediaType`).
 * Raises TypeError for a task that docs/protocol.md has no room for, TooLarge, Malformed for a key that is none.
 * @param {KeyConfiguration} configuration one of attestedKeys(…).configurations
 */
export async function sealRequest(task, configuration, { model, stream = false, atMs = Date.now() }) {
  const { requestId, secret } = freshIds();
  const head = { suite: configuration.suite, requestId, timestampMs: atMs, model };
  const message = await sealFor(configuration, head, requestBody({ secret, stream, task }));
  return { message, secret, mediaType: answerMediaType(stream) };
}

/** The encoded body, its task within the protocol's bounds. Raises TypeError. */
export function requestBody(fields) {
  checkTask(fields.task);
  return encode(fields);
}

/** Neither may ever be used twice. */
export const freshIds = () => ({
  requestId: globalThis.crypto.getRandomValues(new Uint8Array(REQUEST_ID_BYTES)),
  secret: globalThis.crypto.getRandomValues(new Uint8Array(SECRET_BYTES)),
});

export const answerMediaType = (stream) => (stream ? MEDIA_SEALED_STREAM : MEDIA_SEALED_RESPONSE);

/** The message around an encoded body; `ekm` fixes the encapsulation, for the vectors alone. */
export async function sealFor(configuration, fields, body, ekm) {
  const head = requestHead({ ...fields, keyId: await configuration.keyId() });
  const info = concat(LABEL_REQUEST, requestContext(head, configuration.toBytes()));
  const suite = new HPKESuite(configuration.suite);
  return withinLimit(concat(head, await suite.seal(configuration.publicKey, info, pad(body), ekm)));
}

/** Raises TooLarge for what no enclave takes. */
export function withinLimit(message) {
  if (message.length > MAX_SEALED_REQUEST_BYTES) {
    throw new TooLarge(`sealed request: expected at most ${MAX_SEALED_REQUEST_BYTES} bytes, got ${message.length}`);
  }
  return message;
}
