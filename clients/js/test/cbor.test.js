import assert from "node:assert/strict";
import test from "node:test";

import { unhex } from "./support.js";
import { hex } from "../src/bytes.js";
import { decode } from "../src/cbor/decode.js";
import { Float, encode } from "../src/cbor/encode.js";

// RFC 8949 appendix A, what the protocol uses of it.
const EXAMPLES = [
  [0, "00"],
  [23, "17"],
  [24, "1818"],
  [1000, "1903e8"],
  [1000000, "1a000f4240"],
  [1000000000000, "1b000000e8d4a51000"],
  [18446744073709551615n, "1bffffffffffffffff"],
  [-1, "20"],
  [-1000, "3903e7"],
  [-18446744073709551616n, "3bffffffffffffffff"],
  [new Float(0), "f90000"],
  [new Float(-0), "f98000"],
  [new Float(1), "f93c00"],
  [new Float(1.1), "fb3ff199999999999a"],
  [new Float(1.5), "f93e00"],
  [new Float(65504), "f97bff"],
  [new Float(100000), "fa47c35000"],
  [new Float(3.4028234663852886e38), "fa7f7fffff"],
  [new Float(1e300), "fb7e37e43c8800759c"],
  [new Float(5.960464477539063e-8), "f90001"],
  [new Float(0.00006103515625), "f90400"],
  [new Float(-4.1), "fbc010666666666666"],
  [new Float(Infinity), "f97c00"],
  [new Float(-Infinity), "f9fc00"],
  [new Float(NaN), "f97e00"],
  [false, "f4"],
  [true, "f5"],
  [null, "f6"],
  [new Uint8Array([1, 2, 3, 4]), "4401020304"],
  ["\u00fc", "62c3bc"],
  ["\ud800\udd51", "64f0908591"],
  [[1, [2, 3]], "8201820203"],
];

for (const [value, encoded] of EXAMPLES) {
  test(`${encoded} is its one encoding`, () => {
    assert.equal(hex(encode(value)), encoded);
    assert.deepEqual(decode(unhex(encoded), "example"), value);
  });
}

test("keys: the shorter first, then by bytes", () => {
  assert.equal(hex(encode({ bb: 1, a: 2, c: 3, aa: 4 })), "a46161026163036261610462626201");
});

const REFUSED = {
  "a head that is too long": "1800",
  "a float that is too long": "fa3f800000",
  "an undefined": "f7",
  "a simple value": "f0",
  "a list without end": "9fff",
  "bytes in pieces": "5f4101ff",
  "a tag": "c100",
  "keys out of order": "a2616201616102",
  "a key twice": "a2616101616102",
  "a number as a key": "a10102",
  "a map as a key": "a1a002",
  "text that is no UTF-8": "62c328",
  "a surrogate in UTF-8": "63eda080",
  "a byte behind it": "0000",
  "nothing": "",
  "2^64 - 1 bytes that are not there": "5bffffffffffffffff",
  "2^64 - 1 items that are not there": "9bffffffffffffffff",
  "2^64 - 1 pairs that are not there": "bbffffffffffffffff",
  "ten levels": "81".repeat(9) + "80",
  "8,193 items": "992000" + "f6".repeat(8192),
};

for (const [title, encoded] of Object.entries(REFUSED)) {
  test(`refused: ${title}`, () => {
    assert.throws(() => decode(unhex(encoded), "example"), { code: "Malformed" });
  });
}

test("every float of two bytes", () => {
  const finite = Array.from({ length: 0x7c00 }, (_, bits) => bits);
  for (const bits of [...finite, ...finite.map((each) => each | 0x8000)]) {
    const encoded = `f9${bits.toString(16).padStart(4, "0")}`;
    assert.equal(hex(encode(decode(unhex(encoded), "example"))), encoded);
  }
});

test("what has no encoding is no value", () => {
  for (const value of [undefined, 0.5, 2n ** 64n, -(2n ** 64n) - 1n, "\ud800", Symbol("x"), () => 1]) {
    assert.throws(() => encode(value), TypeError);
  }
});

test("a byte order mark stays, and so does __proto__", () => {
  const [map] = decode(encode([JSON.parse('{"__proto__": "\\ufeffx"}')]), "example");
  assert.equal(Object.getPrototypeOf(map), null);
  assert.equal(map.__proto__, "\ufeffx");
});
