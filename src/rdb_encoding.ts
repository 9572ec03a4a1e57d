// The first bytes of lengths and strings in Redis's files and DUMP's payloads; code for them is beside this file.

/** The two highest bits of a length's first byte say what follows. */
export const LENGTH_6_BITS = 0;
export const LENGTH_14_BITS = 1;
/** The whole first byte. */
export const LENGTH_32_BITS = 0x80;
export const LENGTH_64_BITS = 0x81;

/** The same of a string that is no run of bytes. */
export const ENCODED_INT8 = 0xc0;
export const ENCODED_INT16 = 0xc1;
export const ENCODED_INT32 = 0xc2;
export const ENCODED_LZF = 0xc3;
