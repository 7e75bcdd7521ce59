// node encapsulate.js PUBLIC_KEY EKM (hex): the X-Wing encapsulation that the protocol vectors store.
import { XWing } from "@hpke/hybridkem-x-wing";

import { hex } from "../src/bytes.js";
import { unhex } from "./support.js";

const [publicKey, ekm] = process.argv.slice(2).map(unhex);
const kem = new XWing();
const { enc } = await kem.encap({ recipientPublicKey: await kem.importKey("raw", publicKey), ekm });
console.log(hex(new Uint8Array(enc)));
