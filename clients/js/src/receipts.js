import { concat } from "./bytes.js";
import { encode } from "./cbor/encode.js";
import { LABEL_RECEIPT, SALT_BYTES } from "./constants.js";
import { hkdf, sha256 } from "./crypto.js";
import { Malformed } from "./errors.js";

/** The salts of a receipt's commitments, known to the requester and the enclave alone. */
export async function receiptSalts(secret, responseSalt) {
  const salts = await hkdf(secret, responseSalt, LABEL_RECEIPT, 3 * SALT_BYTES);
  const [request, response, leaf] = [0, 1, 2].map((at) => salts.slice(at * SALT_BYTES, (at + 1) * SALT_BYTES));
  return { request, response, leaf };
}

/** What the receipt says of the task. */
export const requestCommitment = (salt, task) => sha256(concat(salt, encode(task)));

/** What the receipt says of the answer, however it was cut: its events with their deltas in one, without the receipt. */
export const responseCommitment = (salt, content) => sha256(concat(salt, encode(content)));

/**
 * The events of a whole answer, their deltas in one, and its receipt (a COSE_Sign1, not verified here).
 * Raises Malformed for anything but pieces of text, then one event that ends the answer, then the receipt.
 */
export function splitReceipt(events) {
  const [pieces, [end, last]] = [events.slice(0, -2), events.slice(-2)];
  if (last?.event !== "receipt" || end.event === "delta" || end.event === "receipt") {
    throw new Malformed("answer: expected an event that ends it, then its receipt");
  }
  if (pieces.some(({ event }) => event !== "delta")) {
    throw new Malformed("answer: expected nothing but text before the event that ends it");
  }
  return { content: [...joined(pieces), end], receipt: last.receipt };
}

/** One delta for all of them; none for an answer without text and without what is told of tokens. */
function joined(deltas) {
  const text = deltas.map((delta) => delta.text).join("");
  const logprobs = deltas.flatMap((delta) => delta.logprobs ?? []);
  if (logprobs.length > 0) return [{ event: "delta", text, logprobs }];
  return text ? [{ event: "delta", text }] : [];
}
