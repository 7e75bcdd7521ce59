import { Malformed } from "./errors.js";

/** @param {string} text ASCII or UTF-8 text of ours, never a user's */
export const ascii = (text) => new TextEncoder().encode(text);

/** All parts in one. */
export const concat = (...parts) => joined(parts);

/** The same of a list, which may be longer than a call has arguments. */
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** An unsigned integer, big-endian, in `count` bytes. Raises RangeError when it does not fit. */
export function uint(value, count) {
  let rest = BigInt(value);
  const bytes = new Uint8Array(count);
  for (let at = count - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  if (rest !== 0n) throw new RangeError(`expected an unsigned integer of ${count} bytes`);
  return bytes;
}

/** Each field behind its length in 4 bytes, so that no two lists give the same bytes. */
export const prefixed = (...fields) => concat(...fields.flatMap((field) => [uint(field.length, 4), field]));

export const equal = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The same bytes as a plain Uint8Array: of Node's Buffer, which is one too, a slice is no copy. */
const octets = (data) => new Uint8Array(data.buffer, data.byteOffset, data.length);

/** Reads a head front to back; every overrun is Malformed, naming `what`. */
export class Reader {
  #data;
  #what;

  constructor(data, what) {
    this.#data = octets(data);
    this.#what = what;
    this.position = 0;
  }

  /** The next `count` bytes. */
  take(count) {
    const end = this.position + count;
    if (end > this.#data.length) this.refuse(`at least ${end} bytes, got ${this.#data.length}`);
    const taken = this.#data.slice(this.position, end);
    this.position = end;
    return taken;
  }

  /** The next `count` bytes, 6 at most, as an unsigned integer. */
  integer(count) {
    return this.take(count).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** The next bytes must be these: format and version. */
  magic(expected) {
    const actual = this.take(expected.length);
    if (!equal(actual, expected)) this.refuse(`it to begin with ${hex(expected)}, got ${hex(actual)}`);
  }

  /** Nothing may follow. */
  end() {
    if (this.position !== this.#data.length) this.refuse(`${this.position} bytes, got ${this.#data.length}`);
  }

  refuse(expected) {
    throw new Malformed(`${this.#what}: expected ${expected}`);
  }
}

/** Bytes as they come, taken out in pieces of a known length. */
export class ByteQueue {
  #pieces = [];
  length = 0;

  push(piece) {
    this.#pieces.push(octets(piece));
    this.length += piece.length;
  }

  /** The first `count` bytes, left where they are; undefined while fewer are there. */
  peek(count) {
    if (this.length < count) return undefined;
    if (this.#pieces.length > 1) this.#pieces = [joined(this.#pieces)];
    return this.#pieces[0].subarray(0, count);
  }

  /** The first `count` bytes, taken out; undefined while fewer are there. */
  take(count) {
    const taken = this.peek(count)?.slice();
    if (taken === undefined) return undefined;
    this.#pieces = [this.#pieces[0].subarray(count)];
    this.length -= count;
    return taken;
  }
}
