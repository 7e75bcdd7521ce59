import { concat, uint } from "./bytes.js";
import { Malformed } from "./errors.js";

const LENGTH_BYTES = 4;
const STEP = 64 << 10;

/** The smallest bucket, in bytes: of a request, of a chunk, of an answer's last chunk. */
export const BODY_BUCKET_BYTES = 1 << 10;
export const FRAME_BUCKET_BYTES = 256;
export const ANSWER_BUCKET_BYTES = 2 << 10;

/** The bucket of a body of that length: a power of two up to 64 KiB, then a multiple of it. */
function paddedSize(bodyBytes, smallest) {
  const needed = bodyBytes + LENGTH_BYTES;
  if (needed > STEP) return Math.ceil(needed / STEP) * STEP;
  let bucket = smallest;
  while (bucket < needed) bucket *= 2;
  return bucket;
}

/** Bring a request's body to the size of its bucket: length ‖ body ‖ zeros. */
export function pad(body) {
  const framed = concat(uint(body.length, LENGTH_BYTES), body);
  return concat(framed, new Uint8Array(paddedSize(body.length, BODY_BUCKET_BYTES) - framed.length));
}

/** Take the body out again. Raises Malformed when length, bucket or filling is not what padding makes. */
export function unpad(padded, smallest) {
  if (padded.length < LENGTH_BYTES) throw new Malformed("padding: expected a length");
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  if (padded.length !== paddedSize(length, smallest)) throw new Malformed("padding: expected the bucket of its length");
  const end = LENGTH_BYTES + length;
  if (padded.subarray(end).some((byte) => byte !== 0)) throw new Malformed("padding: expected zeros after the body");
  return padded.slice(LENGTH_BYTES, end);
}
