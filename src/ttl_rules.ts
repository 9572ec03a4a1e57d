// Rules that give keys by their prefix a time to live: how they are written, and which one a key falls under; pure.

/** Keys that begin with these bytes live so many seconds unless a command says otherwise; 0 is for ever. */
export interface TtlRule {
  readonly prefix: string;
  readonly seconds: number;
}

/** Looked through for each key that is stored without a time of its own. */
export const TTL_RULES_MAX = 64;
const PREFIX_CHARACTERS_MAX = 256;
const SECONDS_MAX = 2 ** 31 - 1;
const encoder = new TextEncoder();

/** Rules as `prefix:*=SECONDS`, parted by blanks; undefined if that is not what the text is. */
export function parseTtlRules(text: string): readonly TtlRule[] | undefined {
  const rules: TtlRule[] = [];
  for (const word of text.trim().split(/\s+/)) {
    const match = /^([^*?[\]\\]*)\*=(\d{1,10})$/.exec(word);
    if (match === null) return undefined;
    const prefix = match[1], seconds = Number(match[2]);
    if (prefix.length > PREFIX_CHARACTERS_MAX || seconds > SECONDS_MAX) return undefined;
    if (rules.some((rule) => rule.prefix === prefix)) return undefined;
    rules.push({ prefix, seconds });
  }
  return rules.length <= TTL_RULES_MAX ? rules : undefined;
}

export function formatTtlRules(rules: readonly TtlRule[]): string {
  return rules.map(({ prefix, seconds }) => `${prefix}*=${seconds}`).join(" ");
}

/** The rules as keys are compared with them. */
export class TtlRules {
  readonly #rules: readonly { readonly bytes: Uint8Array; readonly seconds: number }[];

  constructor(rules: readonly TtlRule[]) {
    this.#rules = rules.map(({ prefix, seconds }) => ({ bytes: encoder.encode(prefix), seconds }))
      // The first that fits is the most specific one.
      .sort((a, b) => b.bytes.length - a.bytes.length);
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Seconds of the longest prefix that the key `bytes[start..end)` begins with; −1 if there is none. */
  secondsFor(bytes: Uint8Array, start: number, end: number): number {
    for (const rule of this.#rules) {
      if (startsWith(bytes, start, end, rule.bytes)) return rule.seconds;
    }
    return -1;
  }
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false;
  return true;
}
