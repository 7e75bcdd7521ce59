import { Float } from "./cbor/encode.js";

// What may be asked. A default is left out, and a number with a fraction is a Float: the enclave commits to the canonical
// encoding of the whole task, of which there is one.

/** Generate the assistant's next turn; `messages` is a list of { role, content }. */
export const chat = (messages, options) => ({ task: "chat", messages, ...generation(options) });

/** Continue a text as it is, without the model's chat template. */
export const complete = (prompt, options) => ({ task: "complete", prompt, ...generation(options) });

/** Turn each text into one vector. */
export const embed = (texts) => ({ task: "embed", texts });

/** Score each text by each label of the model. */
export const classify = (texts) => ({ task: "classify", texts });

/** Find the labelled spans of each text. They count code points, as `Array.from(text)` does, and not UTF-16 units. */
export const tag = (texts) => ({ task: "tag", texts });

/** Run a tensor model; `tensors` is an object of { dtype, shape, data } by name. */
export const infer = (tensors) => ({ task: "infer", tensors });

/** Say what the model is; every model does, whatever its task. */
export const describe = () => ({ task: "describe" });

/** The options of chat and complete that are not their defaults, by their names on the wire. */
function generation({ maxTokens, temperature, topP, topK, seed, stop, logprobs, schema } = {}) {
  return {
    ...unless(256, "max_tokens", maxTokens),
    ...unless(0, "temperature", temperature, (value) => new Float(value)),
    ...unless(1, "top_p", topP, (value) => new Float(value)),
    ...unless(0, "top_k", topK),
    ...unless(null, "seed", seed),
    ...(stop?.length && { stop }),
    ...unless(null, "logprobs", logprobs),
    ...unless(null, "schema", schema),
  };
}

const unless = (normal, name, value = normal, wire = (same) => same) =>
  value === normal ? {} : { [name]: wire(value) };
