import { Float } from "./cbor/encode.js";

// What may be asked, with every field present and of the type that docs/protocol.md gives it: the enclave commits to
// the canonical encoding of the whole task, so that a default left out would make another commitment.

/** Generate the assistant's next turn; `messages` is a list of { role, content }. */
export const chat = (messages, { maxTokens = 256, temperature = 0, topP = 1, seed = null } = {}) => ({
  task: "chat",
  messages,
  max_tokens: maxTokens,
  temperature: new Float(temperature),
  top_p: new Float(topP),
  seed,
});

/** Turn each text into one vector. */
export const embed = (texts) => ({ task: "embed", texts });

/** Run a tensor model; `tensors` is an object of { dtype, shape, data } by name. */
export const infer = (tensors) => ({ task: "infer", tensors });
