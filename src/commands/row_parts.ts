// Pieces that many rows of the command table share; knows no command.
import type { CommandRow } from "./command_row.ts";

type Keys = Pick<CommandRow, "firstKey" | "lastKey" | "keyStep" | "valueArgument">;

/** No key and no value. */
export const NO_KEY: Keys = { firstKey: 0, lastKey: 0, keyStep: 0, valueArgument: 0 };
/** The first argument is the key. */
export const ONE_KEY: Keys = { firstKey: 1, lastKey: 1, keyStep: 1, valueArgument: 0 };
/** All arguments are keys. */
export const ALL_KEYS: Keys = { firstKey: 1, lastKey: -1, keyStep: 1, valueArgument: 0 };
/** The first argument is the key, the second a value that may be large. */
export const KEY_AND_VALUE: Keys = { firstKey: 1, lastKey: 1, keyStep: 1, valueArgument: 2 };

/** Since when mayfly has what Redis has not. */
export const OWN_SINCE = "0.1.0";
