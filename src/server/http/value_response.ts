// A short value as an answer, with its tag and what is left of its life; knows neither key nor command.
import { asciiText } from "./byte_text.ts";
import { entityTag, taggedAscii, tagListHas } from "./entity_tag.ts";
import { headerOf } from "./request_parts.ts";
import { type Header, quickResponse } from "./response_parts.ts";

const MS_PER_S = 1000;

/** The value `bytes[start..end)` as an answer, or that the client has it already; `leftMs` is PTTL's number. */
export function valueResponse(
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
  isHead: boolean,
  leftMs: number,
): Response {
  const tag = entityTag(bytes, start, end), known = headerOf(request, "if-none-match");
  if (known !== null && tagListHas(known, tag, true)) return knownResponse(tag, leftMs);
  const headers = valueHeaders(tag, leftMs);
  if (isHead) {
    headers.push(["content-length", String(end - start)]);
    return new Response(null, { headers });
  }
  return quickResponse(
    taggedAscii
      ? asciiText(bytes, start, end)
      : bytes.subarray(start, end) as Uint8Array<ArrayBuffer>,
    headers,
  );
}

/** That the client has the value with that tag already. */
export function knownResponse(tag: string, leftMs: number): Response {
  const headers: Header[] = [["etag", tag]];
  pushEnd(headers, leftMs);
  return new Response(null, { status: 304, headers });
}

/** What is told of every value. */
export function valueHeaders(tag: string, leftMs: number): Header[] {
  const headers: Header[] = [
    ["content-type", "application/octet-stream"],
    ["etag", tag],
    ["x-content-type-options", "nosniff"],
  ];
  pushEnd(headers, leftMs);
  return headers;
}

/** Tells what is left of a life, if it has an end. */
function pushEnd(headers: Header[], leftMs: number): void {
  if (!(leftMs >= 0)) return;
  headers.push(
    ["mayfly-ttl", String(Math.floor((leftMs + MS_PER_S / 2) / MS_PER_S))],
    ["mayfly-pttl", String(leftMs)],
  );
}
