import { ascii } from "./bytes.js";

// Names and numbers of docs/protocol.md, which gives the reason for each.

export const PATH_SEALED = "/v1/sealed";
export const MEDIA_SEALED_REQUEST = "application/vnd.strongroom.sealed-request";
export const MEDIA_SEALED_RESPONSE = "application/vnd.strongroom.sealed-response";
export const MEDIA_SEALED_STREAM = "application/vnd.strongroom.sealed-stream";

export const LABEL_REQUEST = ascii("strongroom request v1\0");
export const LABEL_RESPONSE = ascii("strongroom response v1\0");
export const LABEL_ENVELOPE = ascii("strongroom envelope v1\0");
export const LABEL_KEY_ENTRY = ascii("strongroom key entry v1\0");
export const LABEL_RECEIPT = ascii("strongroom receipt v1\0");
export const PURPOSE = ascii("strongroom client keys");

export const SUITE_XWING = 1;
export const SUITE_X25519 = 2;
export const SUITE_ENVELOPE = 3;

export const REQUEST_ID_BYTES = 16;
export const KEY_ID_BYTES = 32;
export const SECRET_BYTES = 32;
export const SALT_BYTES = 32;
export const DATA_KEY_BYTES = 32;
export const SHA384_BYTES = 48;
export const RECEIPT_KEY_BYTES = 65;
export const TAG_BYTES = 16;

export const MAX_SEALED_REQUEST_BYTES = 16 << 20;
export const MAX_CHUNK_BYTES = 4 << 20;
export const MAX_KEYS_BYTES = 16 << 10;
export const MAX_DOCUMENT_BYTES = 32 << 10;
export const MAX_RECEIPT_BYTES = 4 << 10;
export const MAX_REST_MS = 400 * 86_400_000;
export const MAX_WRAPPED_KEY_BYTES = 6144;

/** A model's id, a key entry's id: docs/protocol.md. */
export const IDENTIFIER = /^[a-z0-9][a-z0-9._-]{0,63}$/;
