// What may be asked, as docs/protocol.md bounds it. An enclave refuses the rest, too late for what is sealed by then: a
// single use is spent, and a file rests for months.

import { Float } from "./cbor/encode.js";

const MAX_TEXT_CHARACTERS = 64 << 10;
const MAX_TEXTS = 256;
const MAX_LOGPROBS = 1 << 14; // in one answer, those of the alternatives included
const ITEM_BYTES = new Map(
  Object.entries({ float32: 4, float64: 8, float16: 2, int8: 1, int16: 2, int32: 4, int64: 8, uint8: 1, bool: 1 }),
);

/** Raises TypeError, which names the member and never quotes it, for a task beyond its bounds. */
export function checkTask(task) {
  const { required, optional = {} } = RULES.get(task?.task) ?? refuse("task", "one of the protocol's");
  const rules = { task: () => {}, ...required, ...optional };
  for (const name of Object.keys(required)) if (!Object.hasOwn(task, name)) refuse(name, "a value");
  for (const [name, value] of Object.entries(task)) {
    if (!Object.hasOwn(rules, name)) refuse("task", "members of the protocol's alone");
    rules[name](value, name);
  }
  const { max_tokens: tokens = 256, logprobs } = task;
  if (logprobs !== undefined && tokens * (1 + logprobs) > MAX_LOGPROBS) {
    refuse("logprobs", `max_tokens * (1 + logprobs) of at most ${MAX_LOGPROBS}`);
  }
}

function refuse(name, expected) {
  throw new TypeError(`${name}: expected ${expected}`);
}

/** Characters are code points. A string that is too long in any case is not walked through. */
const text = (least, most) => (value, name) => {
  const size = typeof value !== "string" || value.length > 2 * most ? NaN : codePoints(value);
  if (!(size >= least && size <= most)) refuse(name, `text of ${least} to ${most} characters`);
};

function codePoints(string) {
  let count = 0;
  for (const _ of string) count++;
  return count;
}

const list = (least, most, item) => (value, name) => {
  if (!Array.isArray(value) || value.length < least || value.length > most) {
    refuse(name, `a list of ${least} to ${most}`);
  }
  value.forEach((each, at) => item(each, `${name}[${at}]`));
};

const integer = (least, most) => (value, name) => {
  const isOne = typeof value === "bigint" || Number.isSafeInteger(value);
  if (!isOne || value < least || value > most) refuse(name, `an integer of ${least} to ${most}`);
};

const float = (expected, isWithin) => (value, name) => {
  if (!(value instanceof Float) || !isWithin(value.value)) refuse(name, `a Float ${expected}`);
};

function message(value, name) {
  if (Object.keys(value ?? {}).sort().join() !== "content,role") refuse(name, "role and content");
  if (!["system", "user", "assistant"].includes(value.role)) refuse(`${name}.role`, "system, user or assistant");
  text(0, MAX_TEXT_CHARACTERS)(value.content, `${name}.content`);
}

function tensors(value, name) {
  const named = Object.entries(value ?? {});
  if (named.length < 1 || named.length > 64) refuse(name, "1 to 64 of them by their names");
  for (const [each, given] of named) {
    text(0, 128)(each, `${name}: a name`);
    tensor(given, name);
  }
}

function tensor(value, name) {
  if (Object.keys(value ?? {}).sort().join() !== "data,dtype,shape") refuse(name, "dtype, shape and data of each");
  const itemBytes = ITEM_BYTES.get(value.dtype) ?? refuse(`${name}: a dtype`, [...ITEM_BYTES.keys()].join(", "));
  list(0, 8, integer(0, 2 ** 31))(value.shape, `${name}: a shape`);
  const bytes = value.shape.reduce((product, size) => product * Number(size), itemBytes);
  if (!(value.data instanceof Uint8Array) || value.data.length !== bytes) {
    refuse(`${name}: data`, "as many bytes as dtype and shape say");
  }
}

const texts = { required: { texts: list(1, MAX_TEXTS, text(0, MAX_TEXT_CHARACTERS)) } };
const generation = {
  max_tokens: integer(1, 1 << 16),
  temperature: float("of 0 to 2", (value) => value >= 0 && value <= 2),
  top_p: float("above 0, to 1", (value) => value > 0 && value <= 1),
  top_k: integer(0, 1 << 16),
  seed: integer(0, 2n ** 63n - 1n),
  stop: list(1, 8, text(1, 64)),
  logprobs: integer(0, 20),
  schema: text(2, 16 << 10),
};
const RULES = new Map(
  Object.entries({
    chat: { required: { messages: list(1, 64, message) }, optional: generation },
    complete: { required: { prompt: text(1, MAX_TEXT_CHARACTERS) }, optional: generation },
    embed: texts,
    classify: texts,
    tag: texts,
    infer: { required: { tensors } },
    describe: { required: {} },
  }),
);
