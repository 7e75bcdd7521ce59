// The protocol's vectors (tests/vectors/protocol), which the Python implementation is held to as well.
import assert from "node:assert/strict";
import test from "node:test";

import { unhex, vectors } from "./support.js";
import { openEnvelope, openRequest } from "./enclave.js";
import { hex } from "../src/bytes.js";
import { encode } from "../src/cbor/encode.js";
import { sealUnder } from "../src/envelopes.js";
import { acceptedConfiguration, attestedKeys, openReply, openResponse } from "../src/index.js";
import { parseEvidence, parseKeyList } from "../src/index.js";
import { KeyConfiguration, receiptSalts, requestCommitment, responseCommitment, splitReceipt } from "../src/index.js";
import { sealFor } from "../src/requests.js";
import { asked, taskOf } from "./asked.js";

// Of the files, receipts, checkpoints, witnesses and kept-answers need a verifier of documents and receipts, which this
// client is not (README.md); it keeps no tickets; audit-pages and weights never reach a client.

/** Layers that only an enclave or an auditor judges. */
const BEYOND_A_CLIENT = { requests: ["fields"], envelopes: ["fields"] };

/** What is refused here by a name of our own. */
const OWN_NAMES = { binding: "BindingRefused", reply: "NotSealed" };

async function outcomeOf(judge) {
  try {
    await judge();
    return "accepted";
  } catch (error) {
    return error.code ?? error;
  }
}

async function check(name, judge, skipped = []) {
  const { given, vectors: all } = await vectors(name);
  for (const vector of all.filter(({ layer }) => !skipped.includes(layer))) {
    test(vector.id, async () => {
      const expected = OWN_NAMES[vector.layer] ?? vector.outcome;
      assert.equal(await outcomeOf(() => judge(given, vector)), expected);
    });
  }
}

await check("key-lists", async (given, { message, gives }) => {
  const keys = parseKeyList(unhex(message));
  const configurations = keys.configurations.map(async (each) => ({
    suite: each.suite,
    public_key: hex(each.publicKey),
    key_id: hex(await each.keyId()),
  }));
  assert.deepEqual(await Promise.all(configurations), gives.configurations);
  assert.equal(keys.kmsLeg, gives.kms_leg);
  assert.deepEqual([...keys.keyPolicies].map(([id, digest]) => [id, hex(digest)]), Object.entries(gives.policies));
});

await check("evidence", async (given, { message, user_data, public_key, accepts = [1, 2] }) => {
  const evidence = parseEvidence(unhex(message));
  const bytes = (text) => text && unhex(text);
  const keys = await attestedKeys(evidence, { userData: bytes(user_data), publicKey: bytes(public_key) });
  acceptedConfiguration(keys, accepts);
});

for (const name of ["requests-x25519", "requests-xwing"]) {
  await check(name, opensRequest, BEYOND_A_CLIENT.requests);
}

async function opensRequest(given, vector) {
  const configuration = KeyConfiguration.fromBytes(unhex(given.configuration));
  const { head, body } = await openRequest(unhex(vector.message), { configuration, privateKey: unhex(given.seed) });
  assertAsked(vector.gives, head, body);
  const sealed = await sealFor(configuration, head, body, unhex(given.ephemeral));
  assert.equal(hex(sealed), vector.message, "sealed again, it is the same message");
}

await check("envelopes", opensEnvelope, BEYOND_A_CLIENT.envelopes);

async function opensEnvelope(given, vector) {
  const plaintext = unhex(given.data_key);
  const { head, salt, wrapped, body } = await openEnvelope(unhex(vector.message), given, plaintext);
  assert.equal(hex(wrapped), given.wrapped);
  assertAsked(vector.gives, head, body);
  assert.equal(hex(await sealUnder(given, { plaintext, wrapped }, head, salt, body)), vector.message);
}

function assertAsked({ head: expected, body: expectedBody, asked: fields }, head, body) {
  const { suite, keyId, requestId, model, timestampMs } = head;
  const actual = { suite, key_id: hex(keyId), request_id: hex(requestId), model, timestamp_ms: Number(timestampMs) };
  assert.deepEqual(actual, expected);
  assert.equal(hex(body), expectedBody);
  assert.equal(hex(encode(asked(fields))), expectedBody, "encoded here, it is the same body");
}

for (const name of ["responses-whole", "responses-streamed"]) {
  await check(name, opensResponse);
}

await check("replies", async (given, { status, content_type: mediaType, message }) => {
  const headers = mediaType === null ? {} : { "Content-Type": mediaType };
  await eventsOf(openReply(new Response(unhex(message), { status, headers }), askedIn(given)));
});

const askedIn = ({ request, secret, media_type: mediaType }) => ({
  message: unhex(request),
  secret: unhex(secret),
  mediaType,
});

async function eventsOf(answer) {
  const events = [];
  for await (const event of answer.events) events.push(event);
  return events;
}

async function opensResponse(given, vector) {
  const sealed = askedIn(given);
  const answer = openResponse(bytewise(unhex(vector.message)), sealed);
  const events = await eventsOf(answer);
  const { content } = splitReceipt(events);
  const { head, content: expected, receipt_salts: salts, commitments } = vector.gives;
  assert.equal(hex(answer.head.documentDigest), head.document_digest);
  assert.equal(hex(encode(content)), expected);
  const derived = await receiptSalts(sealed.secret, answer.head.salt);
  assert.deepEqual({ ...salts }, Object.fromEntries(Object.entries(derived).map(([name, salt]) => [name, hex(salt)])));
  assert.equal(hex(await responseCommitment(derived.response, content)), commitments.response);
  assert.equal(hex(await requestCommitment(derived.request, taskOf(given.task))), commitments.request);
}

function* bytewise(bytes) {
  for (const byte of bytes) yield Uint8Array.of(byte);
}
