import { ByteQueue, ascii, concat, equal, prefixed, uint } from "./bytes.js";
import { LABEL_RESPONSE, MAX_CHUNK_BYTES, TAG_BYTES } from "./constants.js";
import { keyAndNonce } from "./crypto.js";
import { Malformed, NotSealed, OpenFailed, TooLarge, Truncated } from "./errors.js";
import { decodeEvents } from "./events.js";
import { RESPONSE_HEAD_BYTES, parseResponseHead, readRequestHead } from "./heads.js";
import { ANSWER_BUCKET_BYTES, FRAME_BUCKET_BYTES, unpad } from "./padding.js";

const CHUNK_HEAD_BYTES = 5;
const FRONT_BYTES = 8 << 10; // all that a request says in the clear; its tag vouches for the rest

/**
 * An answer as `fetch` brings it, with all that openResponse returns. Raises NotSealed for anything but a 200 of the
 * media type that was asked for: other bytes are never an answer, whatever they say.
 */
export function openReply({ status, headers, body }, sealed) {
  if (status !== 200 || headers.get("content-type") !== sealed.mediaType) {
    throw new NotSealed(`expected 200 with ${sealed.mediaType}, got ${status} or something else`);
  }
  return openResponse(body ?? [], sealed);
}

/**
 * An answer: `events`, to be iterated once, each event when its chunk has been opened; and `head`, what it says of its
 * enclave (`documentDigest`, `salt`), undefined before the first event.
 *
 * `pieces` is the body as it arrives, an (async) iterable of Uint8Array; `sealed` what sealRequest returned.
 * The iteration raises Malformed, Unsupported, TooLarge, OpenFailed, and Truncated when the transport ends before the
 * last chunk: until it has ended without an error, the answer is not complete.
 */
export function openResponse(pieces, sealed) {
  const opener = new ResponseOpener(sealed);
  return {
    events: eventsOf(pieces, opener),
    get head() {
      return opener.head;
    },
  };
}

async function* eventsOf(pieces, opener) {
  for await (const piece of pieces) {
    for await (const body of opener.feed(piece)) yield* decodeEvents(body);
  }
  opener.finish();
}

/** Opens the answer to one request: feed it bytes as they come, then `finish`. No plaintext before its tag verified. */
class ResponseOpener {
  head;
  #sealed;
  #queue = new ByteQueue();
  #chunk;
  #finished = false;
  #counter = 0;
  #cipher;
  #nonce;

  constructor(sealed) {
    this.#sealed = sealed;
  }

  /** The bodies of the chunks that these bytes complete. */
  async *feed(piece) {
    this.#queue.push(piece);
    if (this.#cipher === undefined && !(await this.#readHead())) return;
    for (let body; (body = await this.#nextBody()) !== undefined; ) yield body;
    if (this.#finished && this.#queue.length > 0) {
      throw new Malformed("sealed response: expected nothing after the last chunk");
    }
  }

  /** The transport has ended. */
  finish() {
    if (!this.#finished) throw new Truncated();
  }

  async #readHead() {
    const bytes = this.#queue.take(RESPONSE_HEAD_BYTES);
    if (bytes === undefined) return false;
    const answer = parseResponseHead(bytes);
    const { message, secret, mediaType } = this.#sealed;
    const { head: asked } = readRequestHead(message);
    if (answer.suite !== asked.suite || !equal(answer.requestId, asked.requestId)) throw new OpenFailed();
    const transcript = prefixed(message.slice(0, FRONT_BYTES), message.slice(-TAG_BYTES), bytes, ascii(mediaType));
    const { cipher, nonce } = await keyAndNonce(secret, answer.salt, LABEL_RESPONSE, transcript);
    [this.#cipher, this.#nonce, this.head] = [cipher, nonce, answer];
    return true;
  }

  async #nextBody() {
    if (this.#finished) return undefined;
    this.#chunk ??= readChunkHead(this.#queue.take(CHUNK_HEAD_BYTES));
    const ciphertext = this.#chunk && this.#queue.take(this.#chunk.size);
    if (ciphertext === undefined) return undefined;
    const { last } = this.#chunk;
    const count = uint(this.#counter++, 8);
    const plaintext = await this.#cipher.open(masked(this.#nonce, count), ciphertext, concat(count, uint(last, 1)));
    [this.#chunk, this.#finished] = [undefined, last === 1];
    return unpad(plaintext, last ? ANSWER_BUCKET_BYTES : FRAME_BUCKET_BYTES);
  }
}

function readChunkHead(bytes) {
  if (bytes === undefined) return undefined;
  const [last, size] = [bytes[0], new DataView(bytes.buffer).getUint32(1)];
  if (last > 1) throw new Malformed(`sealed response: expected a flag of 0 or 1, got ${last}`);
  if (size <= TAG_BYTES || size > MAX_CHUNK_BYTES) {
    throw new TooLarge(`sealed response: expected a chunk of at most ${MAX_CHUNK_BYTES} bytes, got ${size}`);
  }
  return { last, size };
}

/** base nonce XOR counter */
function masked(nonce, count) {
  const result = nonce.slice();
  count.forEach((byte, at) => (result[nonce.length - count.length + at] ^= byte));
  return result;
}
