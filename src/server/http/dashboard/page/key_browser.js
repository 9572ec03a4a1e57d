// The browser of keys: looks for keys, and hands the chosen one to the panel beside the list.
import { keyText } from "./key_api.js";
import { KeyPanel } from "./key_panel.js";
import { wholeText } from "./number_texts.js";

export class KeyBrowser {
  #api;
  #list;
  #status;
  #more;
  #panel;
  #input;
  #cursor = "0";
  #text = "";
  #keys = [];
  /** Counts looks, so that the answer to an earlier one is left alone. */
  #look = 0;

  /** Fills the elements of the page that are marked for it. */
  constructor(root, api) {
    this.#api = api;
    this.#list = root.querySelector("#key-list");
    this.#status = root.querySelector("#key-status");
    this.#more = root.querySelector("#key-more");
    this.#input = root.querySelector("#key-text");
    this.#panel = new KeyPanel(root.querySelector("#key-panel"), api, {
      onRemoved: (key) => this.#drop(key),
    });
    root.querySelector("#key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#find();
    });
    const database = root.querySelector("#key-database");
    // Another database is another list, and a key that is open is none of it.
    const choose = () => this.#api.database = Number(database.value);
    choose(); // some browsers keep what was chosen before a reload
    database.addEventListener("change", () => {
      choose();
      this.#panel.close();
      this.#find();
    });
    this.#more.addEventListener("click", () => this.#findMore());
  }

  #find() {
    this.#text = this.#input.value;
    this.#cursor = "0";
    this.#keys = [];
    this.#list.replaceChildren();
    return this.#findMore();
  }

  async #findMore() {
    const look = ++this.#look, isFirst = this.#cursor === "0";
    this.#more.hidden = true;
    this.#status.textContent = "Looking…";
    try {
      const { keys, cursor } = await this.#api.find(this.#text, this.#cursor);
      if (look !== this.#look) return;
      this.#cursor = cursor;
      const known = new Set(this.#keys.map((key) => JSON.stringify(key)));
      const fresh = keys.filter((key) => !known.has(JSON.stringify(key)));
      this.#keys.push(...fresh);
      this.#list.append(...fresh.map((key) => this.#item(key)));
      const isAll = cursor === "0";
      this.#more.hidden = isAll;
      this.#status.textContent = `${wholeText(this.#keys.length)} ${
        this.#keys.length === 1 ? "key" : "keys"
      }${isAll ? "" : " so far"}`;
      if (!isFirst) this.#list.children[this.#keys.length - fresh.length]?.firstChild.focus();
    } catch (error) {
      if (look === this.#look) this.#status.textContent = error.message;
    }
  }

  #item(key) {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = keyText(key);
    button.addEventListener("click", () => {
      for (const each of this.#list.querySelectorAll("[aria-current]")) {
        each.removeAttribute("aria-current");
      }
      button.setAttribute("aria-current", "true");
      this.#panel.open(key);
    });
    item.append(button);
    return item;
  }

  #drop(key) {
    const index = this.#keys.findIndex((each) => JSON.stringify(each) === JSON.stringify(key));
    if (index < 0) return;
    this.#keys.splice(index, 1);
    this.#list.children[index].remove();
    this.#status.textContent = "Deleted.";
    (this.#list.children[Math.min(index, this.#keys.length - 1)]?.firstChild ?? this.#input)
      .focus();
  }
}
