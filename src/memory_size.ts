// Sizes in bytes as people write them (`100mb`, `2gb`) and as they read them; it knows no flags.

const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
};

/**
 * The bytes that `text` names by Redis's rules: digits, then nothing or one of `b k kb m mb g gb` in
 * any case, where `k` is 1000 and `kb` is 1024. `null` for anything else and past 2^53 - 1.
 */
export function parseMemorySize(text: string): number | null {
  const match = /^(\d{1,16})([a-z]{0,2})$/i.exec(text);
  if (match === null) return null;
  const unitBytes = UNIT_BYTES[match[2]!.toLowerCase()];
  if (unitBytes === undefined) return null;
  const bytes = Number(match[1]) * unitBytes;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

const STEPS = ["KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `bytes` for people in powers of 1024 with at most one decimal: `512 bytes`, `64 MiB`, `11.7 GiB`. */
export function formatMemorySize(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  let value = bytes / 1024;
  let step = 0;
  // 1023.95 would be written as 1024.0 of the smaller unit.
  while (value >= 1023.95 && step < STEPS.length - 1) {
    value /= 1024;
    step++;
  }
  return `${Number(value.toFixed(1))} ${STEPS[step]}`;
}
