import assert from "node:assert/strict";
import test from "node:test";

import { unhex, vectors } from "./support.js";
import { openEnvelope, openRequest } from "./enclave.js";
import { hex } from "../src/bytes.js";
import { encode } from "../src/cbor/encode.js";
import { decodeEvents } from "../src/events.js";
import * as strongroom from "../src/index.js";

const { acceptedConfiguration, attestedKeys, chat, complete, embed, parseEvidence, sealEnvelope, sealRequest } = strongroom;
const { given } = await vectors("requests-xwing");
const CONFIGURATION = strongroom.KeyConfiguration.fromBytes(unhex(given.configuration));
const PAIR = { configuration: CONFIGURATION, privateKey: unhex(given.seed) };
const WHERE = { model: "smollm2-135m", atMs: 1_760_000_460_000 };
const TASK = chat([{ role: "user", content: "hello" }]);

test("every request has an id, a secret and a ciphertext of its own", async () => {
  const [one, two] = await Promise.all([1, 2].map(() => sealRequest(TASK, CONFIGURATION, WHERE)));
  assert.notDeepEqual(one.secret, two.secret);
  const [first, second] = await Promise.all([one, two].map(({ message }) => openRequest(message, PAIR)));
  assert.notDeepEqual(first.head.requestId, second.head.requestId);
  assert.deepEqual(first.request.secret, one.secret);
  assert.deepEqual({ ...first.request.task.messages[0] }, TASK.messages[0]);
});

test("the media type of the answer follows from how it was asked", async () => {
  for (const stream of [false, true]) {
    const { message, mediaType } = await sealRequest(TASK, CONFIGURATION, { ...WHERE, stream });
    assert.equal((await openRequest(message, PAIR)).request.stream, stream);
    assert.equal(mediaType.endsWith("sealed-stream"), stream);
  }
});

test("a reply without a body is an answer cut short", async () => {
  const sealed = await sealRequest(TASK, CONFIGURATION, WHERE);
  const headers = new Headers({ "Content-Type": sealed.mediaType });
  const { events } = strongroom.openReply({ status: 200, headers, body: null }, sealed);
  await assert.rejects(events.next(), { code: "Truncated" });
});

test("what is asked has one form: a default that is said is no other task", () => {
  const defaults = { maxTokens: 256, temperature: 0, topP: 1, topK: 0, seed: null, stop: [], logprobs: null, schema: null };
  assert.deepEqual(complete("a", defaults), { task: "complete", prompt: "a" });
  assert.deepEqual(complete("a", { temperature: -0 }), { task: "complete", prompt: "a" });
  const others = { maxTokens: 1, temperature: 1, topP: 0.5, topK: 2, seed: 0, stop: ["."], logprobs: 0, schema: "{}" };
  assert.deepEqual(Object.keys(chat([], others)).slice(2), Object.keys(others).map(onTheWire));
});

const onTheWire = (name) => name.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`);

test("an answer may have more items than a request, not any number", () => {
  const spans = (count) => encode([{ event: "tags", spans: Array.from({ length: count }, () => []) }]);
  assert.equal(decodeEvents(spans(100_000))[0].spans.length, 100_000);
  assert.throws(() => decodeEvents(spans(1 << 17)), { code: "Malformed" });
});

test("a request of a mebibyte is one", async () => {
  const texts = Array.from({ length: 16 }, () => "x".repeat(65_536));
  const { message } = await sealRequest(embed(texts), CONFIGURATION, WHERE);
  assert.equal((await openRequest(message, PAIR)).request.task.texts.length, 16);
});

test("a message that no enclave takes is not made", async () => {
  await assert.rejects(sealRequest(embed(Array(256).fill("x".repeat(65_536))), CONFIGURATION, WHERE), { code: "TooLarge" });
});

test("what cannot be said is refused before anything is sealed", async () => {
  const lone = chat([{ role: "user", content: "\ud83d" }]);
  await assert.rejects(sealRequest(lone, CONFIGURATION, WHERE), TypeError);
  await assert.rejects(sealRequest(TASK, CONFIGURATION, { ...WHERE, model: "../etc" }), TypeError);
  await assert.rejects(sealRequest(TASK, CONFIGURATION, { ...WHERE, atMs: -1 }), RangeError);
});

test("Node's Buffer, a view of a larger one, is bytes like any other", async () => {
  const view = (text) => Buffer.from(`00${text}`, "hex").subarray(1);
  const [{ message, user_data: userData }] = (await vectors("evidence")).vectors;
  const keys = await attestedKeys(parseEvidence(view(message)), { userData: view(userData), publicKey: null });
  const sealed = await sealRequest(TASK, acceptedConfiguration(keys), WHERE);
  assert.deepEqual((await openRequest(Buffer.from(sealed.message), PAIR)).request.secret, sealed.secret);
});

test("a key of another length is none", async () => {
  const short = new strongroom.KeyConfiguration(CONFIGURATION.suite, CONFIGURATION.publicKey.slice(1));
  await assert.rejects(sealRequest(TASK, short, WHERE), { code: "Malformed" });
});

test("an envelope rests as long as its sealer says, 400 days at most", async () => {
  const entry = { arn: "arn:aws:kms:eu-central-1:111122223333:key/1", context: { purpose: "request" } };
  const dataKey = { plaintext: new Uint8Array(32), wrapped: new Uint8Array(184) };
  const days = (count) => ({ notAfterMs: WHERE.atMs + count * 86_400_000, singleUse: true });
  const { message, secret } = await sealEnvelope(TASK, entry, dataKey, { ...WHERE, rest: days(400) });
  const { request } = await openEnvelope(message, entry, dataKey.plaintext);
  assert.deepEqual({ ...request.rest }, { not_after_ms: days(400).notAfterMs, single_use: true });
  assert.equal(hex(request.secret), hex(secret));
  for (const count of [0, 401, NaN]) {
    await assert.rejects(sealEnvelope(TASK, entry, dataKey, { ...WHERE, rest: days(count) }), TypeError);
  }
  for (const unusable of [{ wrapped: new Uint8Array(0) }, { plaintext: new Uint8Array(16) }]) {
    await assert.rejects(sealEnvelope(TASK, entry, { ...dataKey, ...unusable }, { ...WHERE, rest: days(1) }), TypeError);
  }
});

test("nothing weaker than what is accepted is taken", async () => {
  const [xwing, x25519] = [CONFIGURATION, { suite: strongroom.SUITE_X25519 }];
  assert.equal(strongroom.acceptedConfiguration({ configurations: [xwing, x25519] }), xwing);
  assert.throws(() => strongroom.acceptedConfiguration({ configurations: [x25519] }), { code: "Unsupported" });
});
