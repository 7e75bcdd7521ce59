import { decode } from "./cbor/decode.js";
import { Float } from "./cbor/encode.js";
import { IDENTIFIER, MAX_RECEIPT_BYTES } from "./constants.js";
import { Malformed } from "./errors.js";

/** Of an answer in CBOR: those that tell of many tokens, or find many spans, have more than requests. */
const MAX_ITEMS = 1 << 17;
const DTYPES = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "bool"];
const TASKS = ["chat", "embed", "classify", "tag", "infer"];
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
const isWithin = (least, most) => (value) =>
  value instanceof Float && value.value >= least && value.value <= most;
const isListOf = (is, least = 0, most = Infinity) => (value) =>
  Array.isArray(value) && value.length >= least && value.length <= most && value.every(is);
const isLogprob = isWithin(-9999, 0);
const isAlternative = (value) => hasFields(value, { token: isBytes, logprob: isLogprob });
const isToken = (value) =>
  hasFields(value, { token: isBytes, logprob: isLogprob, top: isListOf(isAlternative, 0, 20) });
const isLabel = (value) => isText(value) && [...value].length <= 256;
const isSpan = (value) => hasFields(value, { start: isCount, end: isCount, label: isLabel, score: isWithin(0, 1) });
const isDetail = (value) => isText(value) && [...value].length <= 512;
const isIdentifier = (value) => isText(value) && IDENTIFIER.test(value);
const isModel = (value) => value === null || isIdentifier(value);
const isName = (value) => isText(value) && [...value].length <= 128;
const isSize = (value) => value === null || isDimension(value) || (isName(value) && value !== "");
const isPort = (value) => hasFields(value, { name: isName, dtype: isOneOf(DTYPES), shape: isListOf(isSize, 0, 8) });
const isReceipt = (value) => isBytes(value) && value.length >= 1 && value.length <= MAX_RECEIPT_BYTES;

const EVENTS = {
  delta: { text: isText },
  end: { finish: isOneOf(["stop", "length"]), prompt_tokens: isCount, completion_tokens: isCount },
  embeddings: { vectors: isTensor, prompt_tokens: isCount },
  scores: { labels: isListOf(isLabel, 1), scores: isTensor },
  tags: { spans: isListOf(isListOf(isSpan)) },
  outputs: { tensors: isTensors },
  description: {
    version: isIdentifier,
    task: isOneOf(TASKS),
    inputs: isListOf(isPort, 0, 64),
    outputs: isListOf(isPort, 0, 256),
  },
  failure: { code: isOneOf(FAILURES), detail: isDetail, model: isModel },
  receipt: { receipt: isReceipt },
};

/** Members that are absent where there is nothing to say. */
const OPTIONAL = { delta: { logprobs: isListOf(isToken, 1) } };

/** The events of one chunk's body: objects with `event`, one of the fixed list. Raises Malformed. */
export function decodeEvents(body) {
  const events = decode(body, "answer", MAX_ITEMS);
  if (!Array.isArray(events) || !events.every(isEvent)) {
    throw new Malformed("answer: expected the events of docs/protocol.md");
  }
  return events;
}

const isEvent = (value) =>
  isMap(value) &&
  Object.hasOwn(EVENTS, value.event) &&
  hasFields(value, { event: isText, ...EVENTS[value.event] }, OPTIONAL[value.event]);

/** Whether a map has these fields and no others, but for the optional ones. */
function hasFields(value, fields, optional = {}) {
  if (!isMap(value)) return false;
  const present = Object.entries(optional).filter(([name]) => Object.hasOwn(value, name));
  const expected = [...Object.entries(fields), ...present];
  if (Object.keys(value).length !== expected.length) return false;
  return expected.every(([name, is]) => Object.hasOwn(value, name) && is(value[name]));
}
