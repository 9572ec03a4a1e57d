// The samples that the page remembers, as columns for the charts; a hole where the server was not heard.

/** Longer than this between two samples is a hole. */
const HOLE_S = 3.5;

export class SampleColumns {
  /** Seconds since 1970, ascending. */
  times = [];
  /** By field; null in a hole. */
  fields = new Map();
  families = [];
  /** Counts by bucket for each sample; null in a hole. */
  heat = [];
  #max;

  constructor(samplesMax, familyCount) {
    this.#max = samplesMax;
    this.families = Array.from({ length: familyCount }, () => []);
  }

  get lastAtMs() {
    return this.times.length === 0 ? 0 : this.times[this.times.length - 1] * 1000;
  }

  /** Takes columns as the server sends them. */
  append(columns) {
    const { atMs, families, heat, ...fields } = columns;
    for (let i = 0; i < atMs.length; i++) {
      const at = atMs[i] / 1000, last = this.times[this.times.length - 1];
      if (last !== undefined && at <= last) continue;
      if (last !== undefined && at - last > HOLE_S) this.#push(last + 1, () => null, null);
      this.#push(
        at,
        (name, family) => {
          return name === null ? families[family][i] : fields[name][i];
        },
        heat[i],
        Object.keys(fields),
      );
    }
    const surplus = this.times.length - this.#max;
    if (surplus <= 0) return;
    for (const column of [this.times, this.heat, ...this.families, ...this.fields.values()]) {
      column.splice(0, surplus);
    }
  }

  /** The last value of a field, 0 before the first. */
  last(field) {
    return this.fields.get(field)?.at(-1) ?? 0;
  }

  column(field) {
    return this.fields.get(field) ?? [];
  }

  #push(at, value, heat, names = this.fields.keys()) {
    this.times.push(at);
    this.heat.push(heat);
    this.families.forEach((column, family) => column.push(value(null, family)));
    for (const name of names) {
      if (!this.fields.has(name)) this.fields.set(name, []);
      this.fields.get(name).push(value(name, 0));
    }
  }
}
