// How long entries live where a command leaves it open, and the jitter that keeps many from expiring at once.
//
// What comes out is a moment like any that a command names: it is stored and logged as such, so a replay gives the
// same. It knows no entry.
import type { Settings } from "./settings.ts";
import { type TtlRule, TtlRules } from "./ttl_rules.ts";

export class TtlPolicy {
  readonly #rules: TtlRules;
  readonly #hasRules: boolean;
  readonly #settings: Pick<Settings, "defaultTtlS" | "ttlJitterPercent">;
  readonly #random: () => number;

  /** `random` gives numbers from 0 up to, not with, 1; an argument so that tests can choose them. */
  constructor(
    rules: readonly TtlRule[],
    settings: Pick<Settings, "defaultTtlS" | "ttlJitterPercent">,
    random: () => number = Math.random,
  ) {
    this.#rules = new TtlRules(rules);
    this.#hasRules = !this.#rules.isEmpty;
    this.#settings = settings;
    this.#random = random;
  }

  /** Whether a key that is stored without a time to live may get one. */
  get givesTimes(): boolean {
    return this.#hasRules || this.#settings.defaultTtlS !== 0;
  }

  /** When the key `bytes[start..end)` expires that is stored now without a time of its own; 0 for never. */
  expiresAtMs(bytes: Uint8Array, start: number, end: number, nowMs: number): number {
    let seconds = this.#hasRules ? this.#rules.secondsFor(bytes, start, end) : -1;
    if (seconds < 0) seconds = this.#settings.defaultTtlS;
    return seconds === 0 ? 0 : this.spread(nowMs + seconds * 1000, nowMs);
  }

  /**
   * A moment that lies before `expiresAtMs` by a random part of the time left, up to the jitter. Never later, because
   * who gave the time may rely on it, and never past.
   */
  spread(expiresAtMs: number, nowMs: number): number {
    const percent = this.#settings.ttlJitterPercent;
    if (percent === 0 || expiresAtMs <= nowMs) return expiresAtMs;
    const leftMs = (expiresAtMs - nowMs) * (1 - this.#random() * percent / 100);
    return nowMs + Math.max(1, Math.round(leftMs));
  }
}
