// Headers and body of a request by the shortest way that the runtime has; knows no route.
//
// A request whose `headers` were looked at costs 2 µs more, because the runtime then keeps all of them for later,
// and a body that has come whole is handed over by `bytes()` as a copy through four promises, 6 µs. The requests of
// Deno.serve know both directly, inside; where that is not so (another version, a request that was made by hand),
// the public way is taken, and gives the same.

/** What Deno.serve's requests are inside, as far as it is used here. */
interface InnerRequest {
  header?(name: string): string | null;
  consumeTextBody?(): string | null;
}
type Opaque = Record<symbol, InnerRequest | undefined>;

const INNER = Object.getOwnPropertySymbols(new Request("http://localhost/"))
  .find(({ description }) => description === "request") ?? Symbol("none");
/** Below 2^53. */
const LENGTH_DIGITS_MAX = 15;
const encoder = new TextEncoder();
const REPLACEMENT = "\ufffd";

/** A header's value, its lines joined, null without it. The name is in lower case. */
export function headerOf(request: Request, name: string): string | null {
  const inner = (request as unknown as Opaque)[INNER];
  return typeof inner?.header === "function" ? inner.header(name) : request.headers.get(name);
}

/** What the header says, −1 without one. */
export function contentLength(request: Request): number {
  const text = headerOf(request, "content-length");
  if (text === null || text.length > LENGTH_DIGITS_MAX || text === "") return -1;
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length;
}

/**
 * The body as text if all of its `lengthBytes` are here, and UTF-8; the body is then used up. Null if it has to be
 * read, and empty text if what came was no UTF-8.
 */
export function wholeText(request: Request, lengthBytes: number): string | null {
  const inner = (request as unknown as Opaque)[INNER];
  const text = inner?.consumeTextBody?.() ?? null;
  if (text === null || !text.includes(REPLACEMENT)) return text;
  // Either the character itself, or the runtime's word for bytes that are none: mostly they were fewer than its three.
  return encoder.encode(text).length === lengthBytes ? text : "";
}
