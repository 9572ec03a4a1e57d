// Bytes as a string with one character for each, to be compared or looked up; knows nothing of what they mean.

/** Up to here all characters are made by one call, which is quicker; more might not fit the stack. */
const CALL_BYTES_MAX = 1024;

/** Characters 0 to 255, one per byte. */
export function latin1(bytes: Uint8Array): string {
  if (bytes.length <= CALL_BYTES_MAX) return String.fromCharCode.apply(null, bytes as never);
  let text = "";
  for (let at = 0; at < bytes.length; at += CALL_BYTES_MAX) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + CALL_BYTES_MAX) as never);
  }
  return text;
}
