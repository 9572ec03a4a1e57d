// The page's tables: rows of texts and bars, rewritten in place so that a reader's place is kept.
import { bytesText, clockText, countText, partText, timeText, wholeText } from "./number_texts.js";

const RATE_S_MIN = 0.5;

/** A panel with a table. A column: `label`, and `text(row)` or `part(row)` for a bar; `number`, `mono`, `whole`, `minor` at will. */
export class DataTable {
  #columns;
  #body;
  #empty;
  #scroll;
  #shown = "";

  constructor(parent, { id, title, columns, empty }) {
    this.#columns = columns;
    const panel = document.createElement("section"), heading = document.createElement("h3");
    panel.className = "panel";
    heading.textContent = title;
    heading.id = `table-${id}`;
    this.#scroll = document.createElement("div");
    this.#scroll.className = "scroll";
    // A region that scrolls has to be reached by keyboard.
    this.#scroll.tabIndex = 0;
    this.#scroll.setAttribute("role", "region");
    this.#scroll.setAttribute("aria-labelledby", heading.id);
    const table = document.createElement("table"), head = document.createElement("thead");
    const row = document.createElement("tr");
    for (const column of columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = column.label;
      cell.className = classes({ ...column, mono: false });
      row.append(cell);
    }
    head.append(row);
    this.#body = document.createElement("tbody");
    table.append(head, this.#body);
    this.#scroll.append(table);
    this.#empty = document.createElement("p");
    this.#empty.className = "empty";
    this.#empty.textContent = empty;
    panel.append(heading, this.#scroll, this.#empty);
    parent.append(panel);
    this.show([]);
  }

  show(rows) {
    this.#scroll.hidden = rows.length === 0;
    this.#empty.hidden = rows.length > 0;
    const cells = rows.map((row) =>
      this.#columns.map(({ text, part }) => part === undefined ? text(row) : part(row))
    );
    const written = JSON.stringify(cells);
    if (written === this.#shown) return;
    this.#shown = written;
    while (this.#body.rows.length > rows.length) this.#body.deleteRow(-1);
    while (this.#body.rows.length < rows.length) this.#addRow();
    cells.forEach((values, i) => {
      const row = this.#body.rows[i];
      values.forEach((value, j) => setCell(row.cells[j], value, this.#columns[j]));
    });
  }

  #addRow() {
    const row = this.#body.insertRow();
    this.#columns.forEach((column, i) => {
      const cell = document.createElement(i === 0 ? "th" : "td");
      if (i === 0) cell.scope = "row";
      cell.className = classes(column);
      if (column.part !== undefined) {
        const bar = document.createElement("progress");
        bar.max = 1;
        bar.setAttribute("aria-label", column.label);
        cell.append(bar);
      }
      row.append(cell);
    });
  }
}

/** `minor` columns are left out on a phone. */
function classes({ number, mono, whole, minor }) {
  return Object.entries({ number, mono, whole, minor }).filter(([, isOn]) => isOn)
    .map(([name]) => name).join(" ");
}

function setCell(cell, value, { part }) {
  if (part !== undefined) cell.firstChild.value = value;
  else if (cell.textContent !== value) cell.textContent = value;
}

/** All tables of the page; `show(now, rates)` each second. */
export class Tables {
  #workers;
  #memory;
  #shards;
  #namespaces;
  #slow;
  #parameters;
  #before = null;

  /** Each is the element that it goes into. */
  constructor({ workers, shards, slow, parameters }) {
    this.#workers = new DataTable(workers, {
      id: "workers",
      title: "Workers",
      empty: "No worker has reported yet.",
      columns: [
        { label: "Worker", text: ({ number }) => String(number) },
        { label: "Commands/s", number: true, text: ({ rate }) => countText(rate) },
        { label: "Share of the busiest", minor: true, part: ({ part }) => part },
        { label: "Clients", number: true, text: ({ connections }) => wholeText(connections) },
        {
          label: "Worst delay",
          number: true,
          text: ({ loopLagMsMax }) => timeText(loopLagMsMax * 1000),
        },
      ],
    });
    this.#memory = new DataTable(workers, {
      id: "memory",
      title: "Memory by use",
      empty: "Not told yet.",
      columns: [
        { label: "Use", text: ({ use }) => use },
        { label: "Bytes", number: true, text: ({ bytes }) => bytesText(bytes) },
        { label: "Share of the limit", part: ({ part }) => part },
      ],
    });
    this.#shards = new DataTable(shards, {
      id: "shards",
      title: "Shards",
      empty: "No shard has reported yet.",
      columns: [
        { label: "Shard", text: ({ number }) => String(number) },
        { label: "Keys", number: true, text: ({ entries }) => countText(entries) },
        { label: "Share of the fullest", part: ({ part }) => part },
        { label: "Memory", number: true, text: ({ pageBytes }) => bytesText(pageBytes) },
        { label: "Lock waits/s", number: true, text: ({ waits }) => countText(waits) },
        {
          label: "Read retries/s",
          number: true,
          minor: true,
          text: ({ retries }) => countText(retries),
        },
      ],
    });
    this.#namespaces = new DataTable(workers, {
      id: "namespaces",
      title: "Namespaces",
      empty: "No keys yet. A namespace is the part of a key before its first colon.",
      columns: [
        { label: "Namespace", mono: true, text: ({ name }) => name === "" ? "(none)" : name },
        { label: "Hit rate", number: true, text: hitRateText },
        {
          label: "Hits of look-ups",
          minor: true,
          part: ({ hits, misses }) => hits / Math.max(1, hits + misses),
        },
        { label: "Look-ups", number: true, text: ({ hits, misses }) => countText(hits + misses) },
        { label: "Keys", number: true, text: ({ keys }) => countText(keys) },
        { label: "Memory", number: true, text: ({ bytes }) => bytesText(bytes) },
      ],
    });
    this.#slow = new DataTable(slow, {
      id: "slow",
      title: "Slow commands, newest first",
      empty: "No command has been slow.",
      columns: [
        { label: "At", text: ({ atS }) => clockText(atS * 1000) },
        { label: "Took", number: true, text: ({ durationUs }) => timeText(durationUs) },
        { label: "Command", mono: true, text: ({ args }) => args.map(quoted).join(" ") },
        { label: "Client", mono: true, text: ({ address }) => address, whole: true, minor: true },
      ],
    });
    this.#parameters = parameters;
  }

  show({ now, slow, parameters }) {
    const before = this.#before, seconds = before === null ? 1 : (now.atMs - before.atMs) / 1000;
    if (slow !== undefined) this.#slow.show(slow.entries);
    if (parameters !== undefined) this.#showParameters(parameters);
    // Messages of the past follow each other at once: no rate can be told of milliseconds.
    if (seconds >= 0 && seconds < RATE_S_MIN) return;
    // After a restart totals begin anew.
    const rate = (total, earlier) =>
      before === null || seconds <= 0 || total < earlier ? 0 : (total - earlier) / seconds;
    const workers = now.workers.map((worker, number) => ({
      ...worker,
      number,
      rate: rate(worker.commands, before?.workers[number]?.commands ?? 0),
    }));
    const shards = now.shards.map((shard, number) => ({
      ...shard,
      number,
      waits: rate(shard.lockWaits, before?.shards[number]?.lockWaits ?? 0),
      retries: rate(shard.readRetries, before?.shards[number]?.readRetries ?? 0),
    }));
    this.#before = now;
    const most = Math.max(1e-9, ...workers.map((worker) => worker.rate));
    const fullest = Math.max(1, ...shards.map((shard) => shard.entries));
    this.#workers.show(workers.map((worker) => ({ ...worker, part: worker.rate / most })));
    this.#shards.show(shards.map((shard) => ({ ...shard, part: shard.entries / fullest })));
    this.#memory.show(memoryUses(now.memory));
    this.#namespaces.show(now.namespaces);
  }

  #showParameters(parameters) {
    const sorted = [...parameters].sort(([a], [b]) => a < b ? -1 : 1);
    this.#parameters.replaceChildren(...sorted.map(([name, value]) => {
      const box = document.createElement("div");
      const term = document.createElement("dt"), description = document.createElement("dd");
      term.textContent = name;
      description.textContent = value === "" ? "–" : value;
      box.append(term, description);
      return box;
    }));
  }
}

/** What memory goes to; buffers do not count to the limit, but are told against it. */
function memoryUses(memory) {
  const { usedBytes, indexBytes, freeSlotBytes, freePageBytes, limitBytes } = memory;
  const uses = [
    ["entries", Math.max(0, usedBytes - indexBytes - freeSlotBytes)],
    ["index", indexBytes],
    ["freed room in pages", freeSlotBytes],
    ["free pages", freePageBytes],
    ["clients' buffers", memory.inputBytes + memory.outputBytes],
  ];
  return uses.map(([use, bytes]) => ({ use, bytes, part: Math.min(1, bytes / limitBytes) }));
}

function hitRateText({ hits, misses }) {
  return hits + misses === 0 ? "–" : partText(hits / (hits + misses));
}

function quoted(text) {
  return text === "" || /[\s"\\]/.test(text) ? JSON.stringify(text) : text;
}
