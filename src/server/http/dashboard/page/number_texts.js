// Numbers as people read them; pure functions.

const UNITS = ["", "k", "M", "G", "T"];
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Three digits and a unit: 1234567 is "1.23M". */
export function countText(value) {
  return scaled(value, 1000, UNITS, "");
}

export function bytesText(value) {
  return scaled(value, 1024, BYTE_UNITS, " ");
}

/** A time given in µs. */
export function timeText(us) {
  if (us >= 1e6) return `${digits(us / 1e6)} s`;
  return us >= 1000 ? `${digits(us / 1000)} ms` : `${digits(us)} µs`;
}

/** A part of 1. */
export function partText(part) {
  return `${(part * 100).toFixed(part >= 0.9995 || part === 0 ? 0 : 1)} %`;
}

export function wholeText(value) {
  return Math.round(value).toLocaleString("en");
}

/** How long something lasts, in the two largest units. */
export function durationText(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor(s % 86_400 / 3600)} h`;
}

export function clockText(atMs) {
  return new Date(atMs).toLocaleTimeString("en-GB");
}

function scaled(value, base, units, gap) {
  let left = value, unit = 0;
  while (Math.abs(left) >= base * 0.9995 && unit < units.length - 1) {
    left /= base;
    unit++;
  }
  return `${digits(left)}${units[unit] === "" ? "" : gap + units[unit]}`;
}

function digits(value) {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return String(Number(value.toFixed(size >= 10 ? 1 : 2)));
}
