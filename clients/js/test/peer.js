// The other side of tests/clients/test_js.py: reads what to do as JSON, seals and opens, prints the results as JSON.
import { text } from "node:stream/consumers";

import { unhex } from "./support.js";
import { taskOf } from "./asked.js";
import { hex } from "../src/bytes.js";
import { encode } from "../src/cbor/encode.js";
import { KeyConfiguration, openResponse, sealEnvelope, sealRequest, splitReceipt } from "../src/index.js";

const { seal, envelopes, open } = JSON.parse(await text(process.stdin));

const plain = ({ message, secret, mediaType }) => ({ message: hex(message), secret: hex(secret), mediaType });
const results = {
  seal: await Promise.all(seal.map(sealed)),
  envelopes: await Promise.all(envelopes.map(enveloped)),
  open: await Promise.all(open.map(opened)),
};
console.log(JSON.stringify(results));

async function sealed({ configuration, task, ...where }) {
  return plain(await sealRequest(taskOf(task), KeyConfiguration.fromBytes(unhex(configuration)), where));
}

async function enveloped({ entry, dataKey: { plaintext, wrapped }, task, ...where }) {
  const dataKey = { plaintext: unhex(plaintext), wrapped: unhex(wrapped) };
  return plain(await sealEnvelope(taskOf(task), entry, dataKey, where));
}

async function opened({ message, secret, mediaType, pieces }) {
  const answer = openResponse(pieces.map(unhex), { message: unhex(message), secret: unhex(secret), mediaType });
  const events = [];
  for await (const event of answer.events) events.push(event);
  const { content, receipt } = splitReceipt(events);
  return { content: hex(encode(content)), receipt: hex(receipt), documentDigest: hex(answer.head.documentDigest) };
}
