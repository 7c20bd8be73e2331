/**
 * Finds where the value after a secret's name ends in free text. Hand-written scanners rather than patterns: each looks
 * at
 * a character a bounded number of times, and none needs memory that grows with the text.
 */

const CLOSERS: Readonly<Record<string, string>> = { "“": "”", "„": "“", "«": "»", "‘": "’" };
const OPENING = /(?:[bBuUrRfF]{1,2}(?=["']))?(\\*)("""|'''|["'`])/y;
const BLOCK = /[|>][+-]?\d?[ \t]{0,8}\r?\n[ \t]/y;
const PAUSE = /[\s&;,"<]/g;
const NEXT_MEMBER = /\s*(?:$|["'`[{]|[\p{L}_$-][\p{L}\p{N}_$.-]{0,63}["']?\s?(?:[=:]|%3[AD]))/uy;
const SCHEME = /(?:bearer|basic|digest|token|apikey|negotiate)[\s:]+/iy;

/** The bounds of a value: what lies between `start` and `end` is hidden. */
export interface ValueBounds {
  start: number;
  end: number;
}

/**
 * Finds the value at `at`. `untilLineEnd` is for names whose value may hold blanks; `fence` is the quote around the
 * whole member, if any.
 */
export function valueBounds(text: string, at: number, untilLineEnd: boolean, fence: string): ValueBounds {
  OPENING.lastIndex = at;
  const opening = OPENING.exec(text);
  if (opening !== null) {
    const start = OPENING.lastIndex;
    return { start, end: closingQuote(text, start, opening[2]!, opening[1]!.length) };
  }
  const closer = CLOSERS[text[at] ?? ""];
  if (closer !== undefined) {
    const end = text.indexOf(closer, at + 1);
    return { start: at + 1, end: end === -1 ? text.length : end };
  }
  if (untilLineEnd) return { start: at, end: lineEnd(text, at, fence) };
  const block = blockEnd(text, at);
  if (block !== undefined) return { start: at, end: block };
  let from = at;
  if (text[at] === "[" || text[at] === "{" || text[at] === "(") from = closingBracket(text, at);
  else {
    SCHEME.lastIndex = at;
    if (SCHEME.test(text)) from = SCHEME.lastIndex;
  }
  return { start: at, end: runEnd(text, from) };
}

/**
 * A quote closes when no more backslashes stand before it than before the one that opened. An unclosed one hides the
 * rest.
 */
function closingQuote(text: string, from: number, quote: string, depth: number): number {
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 1)) {
    let slashes = 0;
    while (at - slashes > from && text[at - slashes - 1] === "\\") slashes++;
    if (slashes > depth) continue;
    // SQL and CSV write a quote within quotes twice.
    if (slashes === 0 && depth === 0 && at > from && quote.length === 1 && text[at + 1] === quote) at++;
    else return at - slashes;
  }
  return text.length;
}

function lineEnd(text: string, from: number, fence: string): number {
  for (let at = from; at < text.length; at++) {
    const char = text[at]!;
    if (char === "\n" || char === "\r" || (fence !== "" && char === fence)) return at;
    if (char === "\\" && (text[at + 1] === "n" || text[at + 1] === "r")) return at;
  }
  return text.length;
}

/** The end of YAML's block of lines, `|` or `>`: the first line that is not indented. */
function blockEnd(text: string, at: number): number | undefined {
  BLOCK.lastIndex = at;
  if (!BLOCK.test(text)) return undefined;
  for (let end = text.indexOf("\n", at); end !== -1; end = text.indexOf("\n", end + 1)) {
    if (!/[ \t\r\n]/.test(text[end + 1] ?? "x")) return end;
  }
  return text.length;
}

/** The end of a bracketed value; brackets inside quotes do not count. An unclosed one hides the rest. */
function closingBracket(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const char = text[at]!;
    if (char === '"' || char === "'" || char === "`") {
      let slashes = 0;
      while (at - slashes > from && text[at - slashes - 1] === "\\") slashes++;
      const close = closingQuote(text, at + 1, char, slashes);
      // An apostrophe that nothing closes is a letter of the value.
      if (close < text.length) at = text.indexOf(char, close);
    } else if (char === "[" || char === "{" || char === "(") depth++;
    else if ((char === "]" || char === "}" || char === ")") && --depth === 0) return at + 1;
  }
  return text.length;
}

/** The end of a value without quotes: white space, or a separator that another member follows. */
function runEnd(text: string, from: number): number {
  PAUSE.lastIndex = from;
  for (let found = PAUSE.exec(text); found !== null; found = PAUSE.exec(text)) {
    const at = found.index;
    const char = found[0];
    if (char === '"') {
      if (/[\s,}\])>/;]|$/y.test(text[at + 1] ?? "")) return text[at - 1] === "\\" ? at - 1 : at;
    } else if (char === "<") {
      if (text[at + 1] === "/") return at;
    } else if (char === "&" || char === ";" || char === ",") {
      NEXT_MEMBER.lastIndex = at + 1;
      if (/\s/.test(text[at + 1] ?? " ") || NEXT_MEMBER.test(text)) return at;
    } else return at;
  }
  return text.length;
}
