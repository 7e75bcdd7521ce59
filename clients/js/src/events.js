import { decode } from "./cbor/decode.js";
import { IDENTIFIER, MAX_RECEIPT_BYTES } from "./constants.js";
import { Malformed } from "./errors.js";

const DTYPES = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "bool"];
const FAILURES = [
  "unknown-model",
  "wrong-task",
  "invalid-request",
  "too-long",
  "invalid-tensor",
  "expired",
  "busy",
  "internal",
];

const isText = (value) => typeof value === "string";
const isCount = (value) => (Number.isInteger(value) || typeof value === "bigint") && value >= 0;
const isBytes = (value) => value instanceof Uint8Array;
const isMap = (value) => value !== null && typeof value === "object" && Object.getPrototypeOf(value) === null;
const isOneOf = (words) => (value) => words.includes(value);
const isDimension = (value) => isCount(value) && value <= 2 ** 31;
const isShape = (value) => Array.isArray(value) && value.length <= 8 && value.every(isDimension);
const isTensor = (value) => hasFields(value, { dtype: isOneOf(DTYPES), shape: isShape, data: isBytes });
const isTensors = (value) => isMap(value) && Object.values(value).every(isTensor);
const isDetail = (value) => isText(value) && [...value].length <= 512;
const isModel = (value) => value === null || (isText(value) && IDENTIFIER.test(value));
const isReceipt = (value) => isBytes(value) && value.length >= 1 && value.length <= MAX_RECEIPT_BYTES;

const EVENTS = {
  delta: { text: isText },
  end: { finish: isOneOf(["stop", "length"]), prompt_tokens: isCount, completion_tokens: isCount },
  embeddings: { vectors: isTensor },
  outputs: { tensors: isTensors },
  failure: { code: isOneOf(FAILURES), detail: isDetail, model: isModel },
  receipt: { receipt: isReceipt },
};

/** The events of one chunk's body: objects with `event`, one of the fixed list. Raises Malformed. */
export function decodeEvents(body) {
  const events = decode(body, "answer");
  if (!Array.isArray(events) || !events.every(isEvent)) {
    throw new Malformed("answer: expected the events of docs/protocol.md");
  }
  return events;
}

const isEvent = (value) =>
  isMap(value) && Object.hasOwn(EVENTS, value.event) && hasFields(value, { event: isText, ...EVENTS[value.event] });

function hasFields(value, fields) {
  if (!isMap(value) || Object.keys(value).length !== Object.keys(fields).length) return false;
  return Object.entries(fields).every(([name, is]) => Object.hasOwn(value, name) && is(value[name]));
}
