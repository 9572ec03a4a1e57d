// An answer with several headers by the shortest way that the runtime has; knows no route.
//
// Response checks and copies its headers, whoever made them: given at once, three of them take 4 µs of server CPU,
// appended one by one 2, where all the rest of a request takes 11. Here they are put where the runtime keeps them;
// they are names and values that need no check. Where what is put together so is not what the runtime itself makes
// (another version), the public way is taken, and gives the same.

/** A name in lower case, and a value: a line of ASCII without blanks around it. */
export type Header = [name: string, value: string];

/** What the runtime's responses are inside, as far as it is used here. */
interface InnerResponse {
  headerList: Header[];
  body: InnerBody | null;
}
interface InnerBody {
  source: unknown;
  length: number | null;
}
type InnerBodyClass = new (content: { body: unknown; consumed: boolean }) => InnerBody;
type Opaque = Record<symbol, InnerResponse | undefined>;

const INNER = Object.getOwnPropertySymbols(new Response(null))
  .find(({ description }) => description === "response") ?? Symbol("none");
const Body = bodyClass();
/** Whether this runtime has the short way. */
export const isShort = Body !== null && isAsPublic(Body);

/** An answer with status 200 and these headers, one of which says the content's type; bytes are copied. */
export function quickResponse(body: string | Uint8Array<ArrayBuffer>, headers: Header[]): Response {
  return isShort ? shortResponse(Body!, body, headers) : new Response(body, { headers });
}

function shortResponse(
  Body: InnerBodyClass,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Header[],
): Response {
  const response = new Response(null), inner = (response as unknown as Opaque)[INNER]!;
  const content = typeof body === "string" ? body : body.slice();
  const innerBody = new Body({ body: content, consumed: false });
  innerBody.source = content;
  if (typeof content !== "string") innerBody.length = content.length;
  inner.headerList = headers;
  inner.body = innerBody;
  return response;
}

function bodyClass(): InnerBodyClass | null {
  const response = new Response("x");
  // A text's body is made no sooner than its headers are looked at.
  void response.headers;
  const body = (response as unknown as Opaque)[INNER]?.body ?? null;
  return body === null ? null : body.constructor as InnerBodyClass;
}

/** Whether responses that are made here are like those of the runtime's, to the last field. */
function isAsPublic(Body: InnerBodyClass): boolean {
  const headers = (): Header[] => [["content-type", "a/b"], ["etag", '"c"']];
  try {
    return ["x", Uint8Array.of(255)].every((body) => {
      const made = shortResponse(Body, body, headers());
      const known = new Response(body, { headers: headers() });
      // Looked at, they are all that a response still has of its headers: what was laid ready to be sent is let go.
      void made.headers;
      void known.headers;
      return isAlike(made, known);
    });
  } catch {
    return false;
  }
}

/** Compares all fields, hidden ones too, of two values without cycles; functions are alike. */
function isAlike(a: unknown, b: unknown): boolean {
  if (typeof a === "function" && typeof b === "function") return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return Object.is(a, b);
  }
  const keys = Reflect.ownKeys(a);
  return Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
    keys.length === Reflect.ownKeys(b).length &&
    keys.every((key) =>
      isAlike(
        (a as Record<symbol, unknown>)[key as symbol],
        (b as Record<symbol, unknown>)[key as symbol],
      )
    );
}
