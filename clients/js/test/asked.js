import { unhex } from "./support.js";
import { chat, embed, infer } from "../src/tasks.js";

const LARGEST_SEED = 2n ** 63n - 1n;
const TASKS = {
  chat: ({ messages, max_tokens: maxTokens, temperature, top_p: topP, seed }) =>
    chat(messages, { maxTokens, temperature, topP, seed: seed && LARGEST_SEED }), // JSON.parse has rounded it
  embed: ({ texts }) => embed(texts),
  infer: ({ tensors }) => infer(Object.fromEntries(Object.entries(tensors).map(tensorOf))),
};

function tensorOf([name, { data, ...others }]) {
  return [name, { ...others, data: unhex(data) }];
}

/** A task of the vectors, in JSON, as this package asks for it. */
export const taskOf = (fields) => TASKS[fields.task](fields);

/** A whole body likewise. */
export const asked = ({ secret, task, ...others }) => ({ secret: unhex(secret), ...others, task: taskOf(task) });
