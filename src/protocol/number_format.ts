// Numbers of the protocols; they lie with the leaves because commands use them too.
export * from "../number_format.ts";
