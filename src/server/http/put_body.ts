// The body of /put: a key and a value, both texts, and perhaps a time to live; runs nothing.

const MS_PER_S = 1000;

/** What `/put` takes; `ttl`, in seconds, is an addition. */
export interface PutBody {
  readonly key: string;
  readonly value: string;
  readonly ttl?: number;
}

/** Null unless it is an object with a key and a value, both strings that UTF-8 can carry. */
export function parsePut(text: string): PutBody | null {
  let body: Partial<PutBody> | null;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  const { key, value, ttl } = body ?? {};
  if (typeof key !== "string" || key === "" || !key.isWellFormed()) return null;
  if (typeof value !== "string" || !value.isWellFormed()) return null;
  if (ttl === undefined) return { key, value };
  return typeof ttl === "number" && ttl > 0 && Number.isSafeInteger(Math.ceil(ttl * MS_PER_S))
    ? { key, value, ttl }
    : null;
}
