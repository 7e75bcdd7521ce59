import { Reader, equal } from "../bytes.js";
import { Malformed } from "../errors.js";
import { Float, encode } from "./encode.js";

const MAX_ITEMS = 8192;
const MAX_DEPTH = 8;
const FALSE = 20;
const TRUE = 21;
const NULL = 22;

/**
 * Decode what `encode` makes and no other encoding of it; objects have no prototype. Raises Malformed, naming `what`.
 *
 * What was decoded is encoded again and compared, so that strictness needs no second grammar; only what bounds the work
 * is judged on the way.
 */
export function decode(data, what, maxItems = MAX_ITEMS) {
  const reader = new Reader(data, what);
  const value = new Decoder(reader, maxItems).item(0);
  reader.end();
  if (!equal(encode(value), data)) throw new Malformed(`${what}: expected the canonical encoding`);
  return value;
}

class Decoder {
  #items = 0;

  constructor(reader, maxItems) {
    this.reader = reader;
    this.maxItems = maxItems;
  }

  item(depth) {
    if (++this.#items > this.maxItems) this.reader.refuse(`at most ${this.maxItems} CBOR items`);
    if (depth > MAX_DEPTH) this.reader.refuse(`at most ${MAX_DEPTH} levels`);
    const initial = this.reader.integer(1);
    const [major, size] = [initial >> 5, initial & 0x1f];
    if (major === 7) return this.simple(size);
    return this.counted(major, this.argument(size), depth + 1);
  }

  argument(size) {
    if (size < 24) return size;
    if (size > 27) this.reader.refuse("definite lengths");
    const value = this.reader.take(1 << (size - 24)).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }

  counted(major, argument, depth) {
    if (major === 0) return argument;
    if (major === 1) return typeof argument === "bigint" ? -1n - argument : narrowed(-1n - BigInt(argument));
    if (major === 2) return this.reader.take(Number(argument));
    if (major === 3) return this.text(Number(argument));
    if (major === 4) return this.list(argument, depth);
    if (major === 5) return this.map(argument, depth);
    return this.reader.refuse("no tags");
  }

  text(length) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.reader.take(length));
    } catch (error) {
      if (error instanceof Malformed) throw error;
      return this.reader.refuse("text in UTF-8");
    }
  }

  list(length, depth) {
    const items = [];
    while (items.length < length) items.push(this.item(depth));
    return items;
  }

  /** Without a prototype, since a key may be `__proto__`. A repeated key does not survive the comparison. */
  map(length, depth) {
    const map = Object.create(null);
    for (let read = 0; read < length; read++) {
      const key = this.item(depth);
      if (typeof key !== "string") this.reader.refuse("text as keys");
      map[key] = this.item(depth);
    }
    return map;
  }

  simple(size) {
    if (size === FALSE || size === TRUE) return size === TRUE;
    if (size === NULL) return null;
    if (size < 25 || size > 27) this.reader.refuse("no simple values but false, true and null");
    const bytes = this.reader.take(1 << (size - 24));
    const view = new DataView(bytes.buffer);
    if (size === 25) return new Float(halfValue(view.getUint16(0)));
    return new Float(size === 26 ? view.getFloat32(0) : view.getFloat64(0));
  }
}

const narrowed = (value) => (value >= Number.MIN_SAFE_INTEGER ? Number(value) : value);

/** RFC 8949 appendix D. */
function halfValue(bits) {
  const [exponent, mantissa] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  const size =
    exponent === 31
      ? mantissa ? NaN : Infinity
      : exponent ? 2 ** (exponent - 25) * (mantissa + 1024) : 2 ** -24 * mantissa;
  return bits & 0x8000 ? -size : size;
}
