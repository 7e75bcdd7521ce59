import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";

import { concat } from "./bytes.js";
import { SUITE_X25519, SUITE_XWING } from "./constants.js";
import { Malformed, OpenFailed, Unsupported } from "./errors.js";

const KEMS = new Map([
  [SUITE_XWING, { KEM: XWing, encBytes: 1120 }],
  [SUITE_X25519, { KEM: DhkemX25519HkdfSha256, encBytes: 32 }],
]);

/** `id`, if it is that of an HPKE suite. Raises Unsupported. */
export function checkedSuite(id) {
  if (!KEMS.has(id)) throw new Unsupported(`suite: expected 1 or 2, got ${id}`);
  return id;
}

/** HPKE base mode (RFC 9180), single shot: one of two KEMs, HKDF-SHA256, AES-256-GCM. */
export class HPKESuite {
  #hpke;

  /** Raises Unsupported for any id but 1 and 2. */
  constructor(id) {
    const { KEM, encBytes } = KEMS.get(checkedSuite(id));
    this.encBytes = encBytes;
    this.#hpke = new CipherSuite({ kem: new KEM(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  }

  /**
   * enc ‖ ciphertext. Raises Malformed for a public key that is none.
   * @param {Uint8Array} [ekm] fixes the encapsulation, for the vectors alone
   */
  async seal(publicKey, info, plaintext, ekm) {
    const recipientPublicKey = await this.#importKey(publicKey, true);
    const sender = await this.#hpke.createSenderContext({ recipientPublicKey, info, ekm });
    return concat(new Uint8Array(sender.enc), new Uint8Array(await sender.seal(plaintext)));
  }

  /** The plaintext. Raises OpenFailed. */
  async open(privateKey, info, sealed) {
    const recipientKey = await this.#importKey(privateKey, false);
    try {
      const enc = sealed.slice(0, this.encBytes);
      const recipient = await this.#hpke.createRecipientContext({ recipientKey, enc, info });
      return new Uint8Array(await recipient.open(sealed.slice(this.encBytes)));
    } catch {
      throw new OpenFailed();
    }
  }

  async #importKey(bytes, isPublic) {
    try {
      return await this.#hpke.kem.importKey("raw", Uint8Array.from(bytes).buffer, isPublic);
    } catch {
      throw new Malformed("HPKE key: expected a valid key of the suite");
    }
  }
}
