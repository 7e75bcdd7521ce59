import assert from "node:assert/strict";
import test from "node:test";

import { ByteQueue } from "../src/bytes.js";

test("a chunk of 200,000 pieces is joined", () => {
  const queue = new ByteQueue();
  for (let at = 0; at < 200_000; at++) queue.push(Uint8Array.of(at));
  assert.equal(queue.take(200_001), undefined);
  assert.equal(queue.take(200_000)[199_999], 199_999 & 0xff);
  assert.equal(queue.length, 0);
});

test("what is taken is copied, what stays is not", () => {
  const queue = new ByteQueue();
  const piece = Uint8Array.of(1, 2, 3);
  queue.push(piece);
  const taken = queue.take(1);
  piece.fill(9);
  assert.deepEqual([taken, queue.take(2)], [Uint8Array.of(1), Uint8Array.of(9, 9)]);
});

test("a view of Node's Buffer has bytes of its own once it is taken", () => {
  const queue = new ByteQueue();
  queue.push(Buffer.from([0, 1, 2]).subarray(1));
  assert.equal(new DataView(queue.take(2).buffer).getUint16(0), 0x0102);
});
