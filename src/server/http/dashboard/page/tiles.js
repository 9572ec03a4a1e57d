// The key figures on top of the page.
import { bytesText, countText, partText, timeText, wholeText } from "./number_texts.js";

const TILES = [
  {
    id: "requests",
    label: "Commands per second",
    figure: ({ last }) => countText(last("commandsPerS")),
    detail: ({ last }) =>
      last("errorsPerS") > 0 ? `${countText(last("errorsPerS"))} errors` : "no errors",
  },
  {
    id: "hits",
    label: "Hit rate",
    figure: ({ last }) => {
      const all = last("hitsPerS") + last("missesPerS");
      return all === 0 ? "–" : partText(last("hitsPerS") / all);
    },
    detail: ({ last }) => `${countText(last("missesPerS"))} misses per second`,
  },
  {
    id: "p99",
    label: "Service time, p99",
    figure: ({ last }) => last("p99Us") === 0 ? "–" : timeText(last("p99Us")),
    detail: ({ last }) => last("p50Us") === 0 ? "idle" : `p50 ${timeText(last("p50Us"))}`,
  },
  {
    id: "memory",
    label: "Memory used",
    figure: ({ now }) => bytesText(now.memory.usedBytes),
    detail: ({ now }) => `of ${bytesText(now.memory.limitBytes)}`,
    part: ({ now }) => now.memory.usedBytes / now.memory.limitBytes,
  },
  {
    id: "keys",
    label: "Keys",
    figure: ({ last }) => countText(last("keys")),
    detail: ({ last }) => wholeText(last("keys")),
  },
  {
    id: "clients",
    label: "Clients",
    figure: ({ last }) => countText(last("clients")),
    detail: ({ now }) => `of ${countText(now.clientsMax)}`,
    part: ({ last, now }) => last("clients") / now.clientsMax,
  },
];

export class Tiles {
  #tiles;

  constructor(parent) {
    this.#tiles = TILES.map((tile) => {
      const box = document.createElement("div");
      box.className = "tile";
      box.id = `tile-${tile.id}`;
      const label = document.createElement("dt"), value = document.createElement("dd");
      const figure = document.createElement("div"), detail = document.createElement("div");
      label.textContent = tile.label;
      figure.className = "figure";
      figure.textContent = "–";
      detail.className = "detail";
      value.append(figure, detail);
      let bar = null;
      if (tile.part !== undefined) {
        bar = document.createElement("progress");
        bar.max = 1;
        bar.value = 0;
        bar.setAttribute("aria-label", `${tile.label}, of the limit`);
        value.append(bar);
      }
      box.append(label, value);
      parent.append(box);
      return { ...tile, elements: { figure, detail, bar } };
    });
  }

  show(samples, now) {
    const given = { now, last: (field) => samples.last(field) };
    for (const { figure, detail, part, elements } of this.#tiles) {
      setText(elements.figure, figure(given));
      setText(elements.detail, detail(given));
      if (part !== undefined) elements.bar.value = part(given);
    }
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
