import { unhex } from "./support.js";
import { chat, classify, complete, describe, embed, infer, tag } from "../src/tasks.js";

const LARGEST_SEED = 2n ** 63n - 1n;
const TASKS = {
  chat: ({ messages, ...options }) => chat(messages, optionsOf(options)),
  complete: ({ prompt, ...options }) => complete(prompt, optionsOf(options)),
  embed: ({ texts }) => embed(texts),
  classify: ({ texts }) => classify(texts),
  tag: ({ texts }) => tag(texts),
  infer: ({ tensors }) => infer(Object.fromEntries(Object.entries(tensors).map(tensorOf))),
  describe: () => describe(),
};

function optionsOf({ max_tokens: maxTokens, top_p: topP, top_k: topK, seed, ...others }) {
  return { maxTokens, topP, topK, seed: seed && LARGEST_SEED, ...others }; // JSON.parse has rounded the seed
}

function tensorOf([name, { data, ...others }]) {
  return [name, { ...others, data: unhex(data) }];
}

/** A task of the vectors, in JSON, as this package asks for it. */
export const taskOf = (fields) => TASKS[fields.task](fields);

/** A whole body likewise. */
export const asked = ({ secret, task, ...others }) => ({ secret: unhex(secret), ...others, task: taskOf(task) });
