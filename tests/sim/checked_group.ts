// Groups whose bytes follow from who made them and in what order, so that any torn, lost or doubled one shows.

export const GROUP_BYTES_MIN = 8;

/** The bytes of a producer's group: its number, the group's number, and what follows from both. */
export function groupOf(producer: number, number: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes + 8), view = new DataView(bytes.buffer);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = Math.imul(number + i, 167) + producer;
  view.setUint32(0, producer, true);
  view.setUint32(4, number, true);
  return bytes;
}
