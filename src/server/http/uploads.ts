// Bodies on their way in: bounded while they come, and ended if they stop coming; knows no route.
import {
  HTTP_BODY_BYTES_START,
  OUT_OF_LINE_BYTES_MIN,
  REQUEST_OVERHEAD_BYTES_MAX,
} from "../../limits.ts";
import { COUNTER } from "../../metrics.ts";
import type { Turns } from "../loop_turns.ts";
import type { ProblemName } from "./problem.ts";
import { contentLength, wholeText } from "./request_parts.ts";

/** Why there is no body. */
export type BodyFailure = Extract<
  ProblemName,
  "body-too-large" | "body-timeout" | "unavailable" | "bad-request"
>;

export interface UploadsOptions {
  readonly counters: Float64Array;
  readonly turns: Turns;
  /** What all unfinished bodies of this worker may take, beside one of the largest size. */
  bufferBytesMax(): number;
  valueBytesMax(): number;
}

interface Upload {
  /** Sweeps since something came. */
  idleSweeps: number;
  readonly end: (failure: BodyFailure) => void;
  previous: Upload;
  next: Upload;
}

/** Takes one out of its ring; a second time changes nothing. */
function unlink(upload: Upload): void {
  upload.previous.next = upload.next;
  upload.next.previous = upload.previous;
  upload.previous = upload.next = upload;
}

export class Uploads {
  readonly #options: UploadsOptions;
  /** Bodies that are awaited, in a ring of links: a set that is filled and emptied all the time costs more. */
  readonly #ring: Upload;

  constructor(options: UploadsOptions) {
    this.#options = options;
    const ring = { idleSweeps: 0, end: () => {} } as unknown as Upload;
    ring.next = ring.previous = ring;
    this.#ring = ring;
  }

  /** The whole body as text, if it is short and has come already; else null, and it is to be read. */
  takeText(request: Request): string | null {
    const lengthBytes = contentLength(request);
    if (lengthBytes < 0 || lengthBytes >= OUT_OF_LINE_BYTES_MIN) return null;
    const text = wholeText(request, lengthBytes);
    if (text !== null) this.#options.counters[COUNTER.bytesIn] += lengthBytes;
    return text;
  }

  /** The whole body, of at most `bytesMax` bytes. */
  read(request: Request, bytesMax: number): Promise<Uint8Array<ArrayBuffer> | BodyFailure> {
    const lengthBytes = contentLength(request);
    if (lengthBytes > bytesMax) return Promise.resolve("body-too-large");
    // Before anybody asks for `body`: that makes a stream, which takes as long as all the rest.
    if (lengthBytes >= 0 && lengthBytes < OUT_OF_LINE_BYTES_MIN) {
      this.#options.counters[COUNTER.bytesIn] += lengthBytes;
      return this.#guarded(request.bytes());
    }
    return this.#gather(request, lengthBytes, bytesMax);
  }

  async #gather(
    request: Request,
    lengthBytes: number,
    bytesMax: number,
  ): Promise<Uint8Array<ArrayBuffer> | BodyFailure> {
    if (request.body === null) return new Uint8Array(0);
    const { counters } = this.#options;
    let bytes = new Uint8Array(lengthBytes >= 0 ? lengthBytes : HTTP_BODY_BYTES_START);
    if (!this.#take(bytes.length)) return "unavailable";
    let filled = 0;
    const failure = await this.receive(request, (chunk) => {
      if (filled + chunk.length > bytesMax) return "body-too-large";
      if (filled + chunk.length > bytes.length) {
        const size = Math.min(bytesMax, Math.max(filled + chunk.length, bytes.length * 2));
        if (!this.#take(size - bytes.length)) return "unavailable";
        const larger = new Uint8Array(size);
        larger.set(bytes.subarray(0, filled));
        bytes = larger;
      }
      bytes.set(chunk, filled);
      filled += chunk.length;
      return null;
    });
    counters[COUNTER.inputBytesNow] -= bytes.length;
    return failure ?? bytes.subarray(0, filled);
  }

  /** Hands the body's pieces over as they come, until one is refused; null once all were taken. */
  async receive(
    request: Request,
    take: (chunk: Uint8Array) => BodyFailure | null,
  ): Promise<BodyFailure | null> {
    if (request.body === null) return null;
    const { counters, turns } = this.#options, reader = request.body.getReader();
    for (;;) {
      const next = await this.#guarded(reader.read());
      let failure: BodyFailure | null = null;
      if (typeof next === "string") failure = next;
      else if (next.done) return null;
      else {
        counters[COUNTER.bytesIn] += next.value.length;
        failure = take(next.value);
      }
      if (failure === null) {
        if (turns.isDue) await turns.wait();
        continue;
      }
      // Whoever still sends learns it from the answer, and from the connection's end.
      reader.cancel().catch(() => {});
      return failure;
    }
  }

  /** Called at even intervals: ends those of which nothing came in `sweepsMax` of them. */
  sweep(sweepsMax: number): void {
    for (let upload = this.#ring.next; upload !== this.#ring;) {
      const next = upload.next;
      if (++upload.idleSweeps > sweepsMax) upload.end("body-timeout");
      upload = next;
    }
  }

  #guarded<Value>(coming: Promise<Value>): Promise<Value | BodyFailure> {
    return new Promise((resolve) => {
      const ring = this.#ring;
      const upload: Upload = {
        idleSweeps: 0,
        previous: ring,
        next: ring.next,
        end: (failure) => {
          unlink(upload);
          resolve(failure);
        },
      };
      ring.next.previous = upload;
      ring.next = upload;
      coming.then((value) => {
        unlink(upload);
        resolve(value);
        // The client went away, and nobody reads the answer.
      }, () => upload.end("bad-request"));
    });
  }

  #take(bytes: number): boolean {
    const { counters, bufferBytesMax, valueBytesMax } = this.#options;
    const bytesMax = Math.max(bufferBytesMax(), valueBytesMax() + REQUEST_OVERHEAD_BYTES_MAX);
    if (counters[COUNTER.inputBytesNow] + bytes > bytesMax) return false;
    counters[COUNTER.inputBytesNow] += bytes;
    return true;
  }
}
