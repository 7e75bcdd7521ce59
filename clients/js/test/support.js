import { readFile } from "node:fs/promises";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto; // Node 18 has it under this name alone

const VECTORS = new URL("../../../tests/vectors/protocol/", import.meta.url);

/** One file of the vectors. */
export const vectors = async (name) => JSON.parse(await readFile(new URL(`${name}.json`, VECTORS), "utf8"));

export const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
