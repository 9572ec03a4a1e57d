// Follows SELECT and SWAPDB through commands that have not run yet; it changes neither session nor settings.
import { DATABASES } from "../store/store.ts";
import type { CommandContext } from "./context.ts";
import { ROWS } from "./table.ts";

const SELECT = ROWS.findIndex((row) => row.name === "select");
const SWAPDB = ROWS.findIndex((row) => row.name === "swapdb");

/** Which database the commands of a transaction will be in, as SELECT and SWAPDB among them change it. */
export class DatabaseWalk {
  #number: number;
  readonly #table: Uint8Array;

  constructor({ session, services }: CommandContext) {
    this.#number = session.databaseNumber;
    this.#table = services.settings.databaseTable();
  }

  get database(): number {
    return this.#table[this.#number];
  }

  /** Goes on behind the command that is loaded. */
  pass(c: CommandContext, rowIndex: number): void {
    if (rowIndex === SELECT) {
      const number = c.argInteger(1);
      if (isDatabase(number)) this.#number = number;
    } else if (rowIndex === SWAPDB) {
      const first = c.argInteger(1), second = c.argInteger(2), table = this.#table;
      if (!isDatabase(first) || !isDatabase(second)) return;
      [table[first], table[second]] = [table[second], table[first]];
    }
  }
}

function isDatabase(number: number): boolean {
  return number >= 0 && number < DATABASES;
}
