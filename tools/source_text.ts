// Splits TypeScript source into code, comments and strings, so that a rule about code does not fire
// on a word in a comment. It knows no grammar beyond that, and nothing of files or rules.

/** The source with the same lines and columns, blanks where the other kinds of text were. */
export interface SourceText {
  /** Code alone: comments and the insides of strings are blanks. */
  readonly code: string;
  /** Code and strings: comments are blanks. */
  readonly uncommented: string;
}

/**
 * Scans `source` once. Template strings keep the code inside `${}`. A slash opens a regular
 * expression where no value can stand before it, which is right for formatted source.
 */
export function splitSource(source: string): SourceText {
  const code = [...source];
  const uncommented = [...source];
  const chars = [...source];
  const blank = (into: string[], from: number, to: number) => {
    for (let i = from; i < to && i < into.length; i++) if (into[i] !== "\n") into[i] = " ";
  };
  /** One entry per open `${`: how many braces are open inside it. */
  const templates: number[] = [];
  let at = 0;
  let before = ""; // the code so far on this stretch, for telling division from a regular expression

  while (at < chars.length) {
    const two = chars[at]! + (chars[at + 1] ?? "");
    const start = at;
    if (two === "//") {
      while (at < chars.length && chars[at] !== "\n") at++;
      blank(code, start, at);
      blank(uncommented, start, at);
    } else if (two === "/*") {
      at += 2;
      while (at < chars.length && !(chars[at] === "*" && chars[at + 1] === "/")) at++;
      at += 2;
      blank(code, start, at);
      blank(uncommented, start, at);
    } else if (chars[at] === '"' || chars[at] === "'") {
      at = stringEnd(chars, at);
      blank(code, start + 1, at - 1);
      before = '"';
    } else if (chars[at] === "`" || (chars[at] === "}" && templates.at(-1) === 0)) {
      if (chars[at] === "}") templates.pop();
      at++;
      while (at < chars.length && chars[at] !== "`") {
        if (chars[at] === "$" && chars[at + 1] === "{") break;
        at += chars[at] === "\\" ? 2 : 1;
      }
      blank(code, start + 1, at);
      if (chars[at] === "$") {
        templates.push(0);
        at += 2;
        before = "(";
      } else {
        at++;
        before = '"';
      }
    } else if (chars[at] === "/" && opensRegExp(before)) {
      at = regExpEnd(chars, at);
      blank(code, start + 1, at - 1);
      before = '"';
    } else {
      const open = templates.length - 1;
      if (chars[at] === "{" && open >= 0) templates[open]!++;
      if (chars[at] === "}" && open >= 0) templates[open]!--;
      if (chars[at] !== " " && chars[at] !== "\n") before = (before + chars[at]).slice(-12);
      else if (/\w$/.test(before)) before += " ";
      at++;
    }
  }
  return { code: code.join(""), uncommented: uncommented.join("") };
}

function stringEnd(chars: readonly string[], open: number): number {
  let at = open + 1;
  while (at < chars.length && chars[at] !== chars[open] && chars[at] !== "\n") {
    at += chars[at] === "\\" ? 2 : 1;
  }
  return at + 1;
}

function regExpEnd(chars: readonly string[], open: number): number {
  let at = open + 1;
  let inClass = false;
  while (at < chars.length && chars[at] !== "\n" && (inClass || chars[at] !== "/")) {
    if (chars[at] === "[") inClass = true;
    if (chars[at] === "]") inClass = false;
    at += chars[at] === "\\" ? 2 : 1;
  }
  return at + 1;
}

function opensRegExp(before: string): boolean {
  const text = before.trimEnd();
  return text === "" || /(?:[=(,:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of))$/.test(text);
}
