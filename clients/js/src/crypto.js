import { concat } from "./bytes.js";
import { OpenFailed } from "./errors.js";

// WebCrypto, read when it is used: Node 18 has it under another name, which a program may set first.
const subtle = () => globalThis.crypto.subtle;

export const sha256 = async (data) => new Uint8Array(await subtle().digest("SHA-256", data));

export const sha384 = async (data) => new Uint8Array(await subtle().digest("SHA-384", data));

/** HKDF-SHA256 (RFC 5869): `length` bytes. */
export async function hkdf(secret, salt, info, length) {
  const key = await subtle().importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  return new Uint8Array(await subtle().deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, key, length * 8));
}

/** AES-256-GCM under one key; a nonce is 12 bytes, a tag 16. */
export class AES256GCM {
  #key;

  /** @param {Uint8Array} key 32 bytes */
  static async fromKey(key) {
    const cipher = new AES256GCM();
    cipher.#key = await subtle().importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
    return cipher;
  }

  async seal(nonce, plaintext, aad) {
    const algorithm = { name: "AES-GCM", iv: nonce, additionalData: aad };
    return new Uint8Array(await subtle().encrypt(algorithm, this.#key, plaintext));
  }

  /** Raises OpenFailed. */
  async open(nonce, ciphertext, aad) {
    try {
      const algorithm = { name: "AES-GCM", iv: nonce, additionalData: aad };
      return new Uint8Array(await subtle().decrypt(algorithm, this.#key, ciphertext));
    } catch {
      throw new OpenFailed();
    }
  }
}

/** The key and the base nonce that the key schedules of docs/protocol.md give: 32 and 12 bytes of HKDF. */
export async function keyAndNonce(secret, salt, label, context) {
  const material = await hkdf(secret, salt, concat(label, await sha256(context)), 44);
  return { cipher: await AES256GCM.fromKey(material.slice(0, 32)), nonce: material.slice(32) };
}
