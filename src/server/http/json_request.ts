// The body of a request as JSON text, or the answer that says why it is none; knows no route and no shape.
import { HTTP_JSON_BYTES_MAX } from "../../limits.ts";
import { strictText } from "./byte_text.ts";
import { problem } from "./problem.ts";
import { headerOf } from "./request_parts.ts";
import type { BodyFailure, Uploads } from "./uploads.ts";

const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json(?:;|$)/i;

/** The text is UTF-8, but nobody has parsed it yet; at once if it is short and has come already. */
export function jsonText(
  request: Request,
  uploads: Uploads,
): string | Response | Promise<string | Response> {
  const type = headerOf(request, "content-type");
  // A page of another origin can send other types without being asked whether it may.
  if (type !== "application/json" && !JSON_TYPE.test(type ?? "")) {
    return problem("media-type", "content-type has to be application/json");
  }
  const text = uploads.takeText(request);
  return text ?? uploads.read(request, HTTP_JSON_BYTES_MAX).then(textOf);
}

function textOf(body: Uint8Array<ArrayBuffer> | BodyFailure): string | Response {
  if (typeof body === "string") {
    return problem(body, `the body did not come whole, within ${HTTP_JSON_BYTES_MAX} bytes`, {
      connection: "close",
    });
  }
  return strictText(body) ?? problem("bad-request", "the body is no UTF-8");
}
