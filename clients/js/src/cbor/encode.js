// Canonical CBOR (RFC 7049 section 3.9), the part of it that the protocol uses: one value has exactly one encoding.
//
// Our own, because the libraries that are kept (cborg among them) cannot tell 1.0 from 1, which the commitments of
// receipts do, and bound neither items nor depth.

import { concat, joined, uint } from "../bytes.js";

/** A CBOR float: JavaScript's own numbers do not tell 1.0 from 1. */
export class Float {
  constructor(value) {
    this.value = value;
  }
}

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const LIST = 4;
const MAP = 5;
const LONE_SURROGATE = /\p{Surrogate}/u;
const SIMPLE = new Map([[false, 0xf4], [true, 0xf5], [null, 0xf6]]);

/**
 * Encode null, booleans, integers, Float, text, Uint8Array, lists and plain objects.
 * Raises TypeError for anything else, for integers beyond 64 bits and for text with a lone surrogate.
 */
export function encode(value) {
  if (SIMPLE.has(value)) return Uint8Array.of(SIMPLE.get(value));
  if (typeof value === "string") return encodeText(value);
  if (Number.isSafeInteger(value) || typeof value === "bigint") return encodeInteger(BigInt(value));
  if (value instanceof Float) return encodeFloat(value.value);
  if (value instanceof Uint8Array) return concat(head(BYTES, value.length), value);
  if (Array.isArray(value)) return joined([head(LIST, value.length), ...value.map(encode)]);
  if (typeof value === "object") return encodeMap(value);
  throw new TypeError("expected a value that the protocol has, and Float for numbers that are no integers");
}

function head(major, argument) {
  if (argument < 24) return Uint8Array.of((major << 5) | Number(argument));
  const power = argument < 1n << 8n ? 0 : argument < 1n << 16n ? 1 : argument < 1n << 32n ? 2 : 3;
  return concat(Uint8Array.of((major << 5) | (24 + power)), uint(argument, 1 << power));
}

function encodeInteger(value) {
  if (value >= 1n << 64n || value < -(1n << 64n)) throw new TypeError("expected an integer of 64 bits");
  return value < 0n ? head(NEGATIVE, -1n - value) : head(UNSIGNED, value);
}

function encodeText(text) {
  if (LONE_SURROGATE.test(text)) throw new TypeError("expected valid Unicode, got a lone surrogate");
  const bytes = new TextEncoder().encode(text);
  return concat(head(TEXT, bytes.length), bytes);
}

function encodeMap(map) {
  const entries = Object.entries(map).map(([key, value]) => [encodeText(key), encode(value)]);
  entries.sort(([a], [b]) => compare(a, b)); // the length is in the head: the shorter key comes first
  return joined([head(MAP, entries.length), ...entries.flat()]);
}

function compare(a, b) {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? 0 : a[at] - b[at];
}

function encodeFloat(value) {
  if (Number.isNaN(value)) return Uint8Array.of(0xf9, 0x7e, 0x00);
  const half = halfOf(value);
  if (half !== undefined) return concat(Uint8Array.of(0xf9), uint(half, 2));
  const view = new DataView(new ArrayBuffer(8));
  const single = Math.fround(value) === value;
  if (single) view.setFloat32(0, value);
  else view.setFloat64(0, value);
  return concat(Uint8Array.of(single ? 0xfa : 0xfb), new Uint8Array(view.buffer, 0, single ? 4 : 8));
}

/** The 16 bits of a number that fits them exactly, or undefined. */
function halfOf(value) {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === 0) return sign;
  if (size === Infinity) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const mantissa = size / 2 ** (exponent - 10);
  if (!Number.isInteger(mantissa) || exponent > 15) return undefined;
  return sign | (mantissa < 1024 ? mantissa : ((exponent + 15) << 10) | (mantissa - 1024));
}
