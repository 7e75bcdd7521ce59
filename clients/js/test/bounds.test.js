// What no enclave answers is not sealed: each bound of docs/protocol.md, at it and one beyond.
import assert from "node:assert/strict";
import test from "node:test";

import "./support.js";
import { checkTask } from "../src/bounds.js";
import { KeyConfiguration, chat, classify, complete, describe, embed, infer, sealEnvelope, sealRequest } from "../src/index.js";
import { tag } from "../src/index.js";

const LONGEST = "🔒".repeat(65_536);
const turns = (count) => Array.from({ length: count }, () => ({ role: "user", content: "x" }));
const tensor = (shape, length, dtype = "int8") => ({ dtype, shape, data: new Uint8Array(length) });
const named = (count) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`${at}`, tensor([], 1)]));

const WITHIN = {
  "64 turns": chat(turns(64)),
  "an empty turn": chat([{ role: "system", content: "" }]),
  "the longest turn": chat([{ role: "assistant", content: LONGEST }]),
  "the longest prompt": complete(LONGEST),
  "256 texts": embed(Array(256).fill("")),
  "the longest text": classify([LONGEST]),
  "a text to tag": tag([""]),
  "the options' least": complete("x", { maxTokens: 1, temperature: 5e-324, topP: 5e-324, seed: 0, logprobs: 0, schema: "{}" }),
  "the options' most": complete("x", {
    maxTokens: 65_536, temperature: 2, topP: 0.5, topK: 65_536, seed: 2n ** 63n - 1n, stop: Array(8).fill("🔒".repeat(64)),
    schema: "x".repeat(16_384),
  }),
  "as many log probabilities as an answer holds": complete("x", { maxTokens: 780, logprobs: 20 }),
  "64 tensors": infer(named(64)),
  "eight dimensions": infer({ ["x".repeat(128)]: tensor([1, 1, 1, 1, 1, 1, 1, 2], 2) }),
  "a size beyond 32 bits, of nothing": infer({ x: tensor([2 ** 31, 0], 0) }),
  "items of eight bytes": infer({ x: tensor([3], 24, "float64") }),
  "a description": describe(),
};

const BEYOND = {
  "no task": undefined,
  "another task": { task: "toString" },
  "another member": { ...describe(), texts: ["x"] },
  "no turn": chat([]),
  "65 turns": chat(turns(65)),
  "another role": chat([{ role: "tool", content: "x" }]),
  "more than role and content": chat([{ role: "user", content: "x", name: "y" }]),
  "turns that are none": chat([null]),
  "a turn too long": chat([{ role: "user", content: `${LONGEST}x` }]),
  "no prompt": complete(""),
  "a prompt too long": complete(`${LONGEST}x`),
  "tokens for a prompt": complete([1, 2]),
  "no list": embed("x"),
  "no text": tag([]),
  "257 texts": embed(Array(257).fill("")),
  "a text too long": classify([`${LONGEST}x`]),
  ...Object.fromEntries(
    Object.entries({
      maxTokens: [0, 65_537, 1.5, "1"], temperature: [-0.1, 2.1, NaN], topP: [0, 1.1], topK: [-1, 65_537], seed: [-1, 2n ** 63n],
      stop: [Array(9).fill("x"), [""], ["x".repeat(65)], "x"], logprobs: [-1, 21], schema: ["{", "x".repeat(16_385), {}],
    }).flatMap(([name, values]) => values.map((value, at) => [`${name} ${at}`, complete("x", { [name]: value })])),
  ),
  "more log probabilities than an answer holds": complete("x", { maxTokens: 781, logprobs: 20 }),
  "more by the default of max_tokens": complete("x", { maxTokens: 16_385, logprobs: 0 }),
  "no tensor": infer({}),
  "65 tensors": infer(named(65)),
  "a name too long": infer({ ["x".repeat(129)]: tensor([], 1) }),
  "another dtype": infer({ x: tensor([], 1, "toString") }),
  "nine dimensions": infer({ x: tensor([1, 1, 1, 1, 1, 1, 1, 1, 1], 1) }),
  "a negative size": infer({ x: tensor([-1, -1], 1) }),
  "a size too large": infer({ x: tensor([2 ** 31 + 1, 0], 0) }),
  "data of another length": infer({ x: tensor([2], 1) }),
  "data that are no bytes": infer({ x: { dtype: "int8", shape: [1], data: [1] } }),
  "a tensor without a shape": infer({ x: { dtype: "int8", data: new Uint8Array(1) } }),
};

for (const [name, task] of Object.entries(WITHIN)) test(`within: ${name}`, () => checkTask(task));
for (const [name, task] of Object.entries(BEYOND)) {
  test(`beyond: ${name}`, () => assert.throws(() => checkTask(task), { name: "TypeError", message: /^[a-z_]+.{0,30}: expected / }));
}

test("neither way in seals what is beyond", async () => {
  const where = { model: "m", atMs: 1, rest: { notAfterMs: 2, singleUse: true } };
  const [task, expected] = [embed([]), { name: "TypeError", message: "texts: expected a list of 1 to 256" }];
  await assert.rejects(sealRequest(task, new KeyConfiguration(1, new Uint8Array(1216)), where), expected);
  const dataKey = { plaintext: new Uint8Array(32), wrapped: new Uint8Array(1) };
  await assert.rejects(sealEnvelope(task, { arn: "a", context: {} }, dataKey, where), expected);
});
