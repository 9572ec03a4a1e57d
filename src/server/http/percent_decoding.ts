// Percent-encoded text of URLs as bytes; any byte can stand there, so nothing is taken for UTF-8.
import { DATABASES } from "../../store/store.ts";

const PERCENT = 37;
const PLUS = 43;
const SPACE = 32;
const encoder = new TextEncoder();

/** The bytes that a part of a path stands for; null if a percent sign has no two digits behind it. */
export function percentDecode(text: string): Uint8Array | null {
  return decode(text, false, true);
}

/** The same for a value of a query, where plus is a blank. */
export function queryDecode(text: string): Uint8Array | null {
  return decode(text, true, true);
}

/** As browsers read forms: a percent sign without its digits stands for itself. */
export function formDecode(text: string): Uint8Array {
  return decode(text, true, false)!;
}

function decode(text: string, plusIsBlank: boolean, isStrict: boolean): Uint8Array | null {
  const bytes = encoder.encode(text);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === PERCENT) {
      const high = digit(bytes[i + 1]), low = digit(bytes[i + 2]);
      if (high >= 0 && low >= 0) {
        bytes[length++] = high * 16 + low;
        i += 2;
        continue;
      }
      if (isStrict) return null;
    }
    bytes[length++] = byte === PLUS && plusIsBlank ? SPACE : byte;
  }
  return bytes.subarray(0, length);
}

/** Value of a hexadecimal digit, −1 for anything else. */
function digit(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** The database that a URL names by `db`, 0 without it; null if it is none of the 16. */
export function databaseParameter(url: string): number | null {
  const text = queryParameter(url, "db");
  if (text === null) return 0;
  return /^\d{1,2}$/.test(text) && Number(text) < DATABASES ? Number(text) : null;
}

/** The text of the first parameter of that name in the query of a URL, null if there is none. */
export function queryParameter(url: string, name: string): string | null {
  const start = url.indexOf("?");
  if (start < 0) return null;
  for (let at = start + 1; at <= url.length;) {
    let end = url.indexOf("&", at);
    if (end < 0) end = url.length;
    const equals = url.indexOf("=", at);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (nameEnd - at === name.length && url.startsWith(name, at)) {
      return url.slice(Math.min(nameEnd + 1, end), end);
    }
    at = end + 1;
  }
  return null;
}
