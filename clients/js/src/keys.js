import { Reader, ascii, concat, uint } from "./bytes.js";
import { IDENTIFIER, MAX_KEYS_BYTES, SHA384_BYTES, SUITE_XWING } from "./constants.js";
import { sha256 } from "./crypto.js";
import { Malformed, TooLarge, Unsupported } from "./errors.js";
import { checkedSuite } from "./suites.js";

const MAGIC = ascii("SRK");
const VERSION = 1;
const KMS_LEGS = new Map([[1, "classical"], [2, "hybrid"]]);

/** One public key and the suite that it serves. */
export class KeyConfiguration {
  constructor(suite, publicKey) {
    this.suite = suite;
    this.publicKey = publicKey;
  }

  /** Version ‖ suite ‖ length ‖ public key. */
  toBytes() {
    return concat(uint(VERSION, 1), uint(this.suite, 2), uint(this.publicKey.length, 2), this.publicKey);
  }

  /** Raises Malformed or Unsupported. */
  static fromBytes(data) {
    const reader = new Reader(data, "key configuration");
    const version = reader.integer(1);
    if (version !== VERSION) throw new Unsupported(`key configuration: expected version ${VERSION}, got ${version}`);
    const suite = checkedSuite(reader.integer(2));
    const configuration = new KeyConfiguration(suite, reader.take(reader.integer(2)));
    reader.end();
    return configuration;
  }

  /** What a sealed request names it by. */
  keyId() {
    return sha256(this.toBytes());
  }
}

/**
 * Parse the key list: what an enclave says of itself beside its PCRs.
 * Raises Malformed, Unsupported or TooLarge. Believe it only when a verified document binds it (evidence.js).
 */
export function parseKeyList(data) {
  if (data.length > MAX_KEYS_BYTES) throw new TooLarge(`key list: expected at most ${MAX_KEYS_BYTES} bytes`);
  const reader = new Reader(data, "key list");
  reader.magic(MAGIC);
  const version = reader.integer(1);
  if (version !== VERSION) throw new Unsupported(`key list: expected version ${VERSION}, got ${version}`);
  const configurations = ascending(readMany(reader, 8, readConfiguration), (each) => each.suite);
  const kmsLeg = readKMSLeg(reader);
  const policies = ascending(readMany(reader, 16, readKeyPolicy), ([entryId]) => entryId);
  reader.end();
  return { configurations, kmsLeg, keyPolicies: new Map(policies) };
}

/**
 * The configuration of the first of `suites` that the enclave offers: nothing weaker is taken because it is offered.
 * Raises Unsupported.
 */
export function acceptedConfiguration(keys, suites = [SUITE_XWING]) {
  const offered = suites.map((suite) => keys.configurations.find((each) => each.suite === suite));
  const chosen = offered.find((configuration) => configuration !== undefined);
  if (chosen === undefined) throw new Unsupported(`suite: expected one of ${suites.join(", ")}, got others only`);
  return chosen;
}

function readMany(reader, most, read) {
  const count = reader.integer(1);
  if (count < 1 || count > most) reader.refuse(`1 to ${most} entries, got ${count}`);
  return Array.from({ length: count }, () => read(reader));
}

const readConfiguration = (reader) => KeyConfiguration.fromBytes(reader.take(reader.integer(2)));

function readKMSLeg(reader) {
  const id = reader.integer(1);
  if (!KMS_LEGS.has(id)) throw new Unsupported(`KMS leg: expected 1 or 2, got ${id}`);
  return KMS_LEGS.get(id);
}

function readKeyPolicy(reader) {
  const entryId = String.fromCharCode(...reader.take(reader.integer(1)));
  if (!IDENTIFIER.test(entryId)) reader.refuse("a key entry's id of lower-case letters, digits and . _ -");
  return [entryId, reader.take(SHA384_BYTES)];
}

function ascending(entries, name) {
  if (entries.some((entry, at) => at > 0 && name(entries[at - 1]) >= name(entry))) {
    throw new Malformed("key list: expected ascending entries, each once");
  }
  return entries;
}
