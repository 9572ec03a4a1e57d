// What inference services keep, as bytes of a given length: made up, each one different, by a seed.
import { type Random, randomFrom } from "../../tests/support/store_access.ts";

const encoder = new TextEncoder();
const WORDS =
  ("the of and to in a is that for it was on are as with they at be this from have or by one had " +
    "not but what all were when we there can an your which their said if do will each about how up out them " +
    "then she many some so these would other into has more her two like him see time could no make than first " +
    "been its who now people my made over did down only way find use may water long little very after words " +
    "called just where most know model answer because system value reason example number result")
    .split(" ");

/** Whole numbers spread about as the frequencies of words are. */
const often = (random: Random, count: number) =>
  Math.floor((random.below(10_000) / 10_000) ** 3 * count);
/** About normal, of the size that parts of a normalized vector have. */
const part = (random: Random) =>
  (random.below(65_536) + random.below(65_536) + random.below(65_536) - 98_304) / 1_600_000;

function scores(random: Random, bytes: number): string {
  const predictions: unknown[] = [];
  const head = {
    model: "detector-v2",
    version: 3,
    latency_ms: random.below(900) / 10,
    predictions,
  };
  for (let length = 0; length < bytes; length += 60) {
    predictions.push({
      label: `class_${random.below(1000)}`,
      score: random.below(1_000_000) / 1_000_000,
      box: Array.from({ length: 4 }, () => random.below(1024)),
    });
  }
  return JSON.stringify(head);
}

function completion(random: Random, bytes: number): string {
  let text = "";
  while (text.length < bytes) {
    text += WORDS[often(random, WORDS.length)] + (random.below(12) === 0 ? ". " : " ");
  }
  const choices = [{ text, index: 0, finish_reason: "stop" }];
  return JSON.stringify({
    id: `cmpl-${random.below(2 ** 30)}`,
    object: "text_completion",
    choices,
  });
}

function vector(random: Random, bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Float32Array.from({ length: bytes >>> 2 }, () => part(random)).buffer);
}

function vectorText(random: Random, bytes: number): string {
  const embedding = Array.from(
    { length: Math.ceil(bytes / 9) },
    () => Number(part(random).toFixed(7)),
  );
  return JSON.stringify({ object: "embedding", embedding });
}

function vectorBase64(random: Random, bytes: number): string {
  let binary = "";
  for (const byte of vector(random, bytes)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** By name: a value of the n-th key, cut to exactly so many bytes. */
export const RESULTS: Readonly<Record<string, (key: number, bytes: number) => Uint8Array>> = {
  "labels and scores, JSON": cut(scores),
  "completions, JSON": cut(completion),
  "embeddings, JSON": cut(vectorText),
  "embeddings, base64": cut(vectorBase64),
  "embeddings, float32": (key, bytes) => vector(randomFrom(key + 1), bytes),
};

function cut(make: (random: Random, bytes: number) => string) {
  return (key: number, bytes: number) =>
    encoder.encode(make(randomFrom(key + 1), bytes)).subarray(0, bytes);
}
