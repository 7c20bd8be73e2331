import type { KeyJudge } from "./redact-keys.ts";
import { valueBounds } from "./redact-values.ts";

/** Letters, digits and what joins them. Written as ranges: with property escapes a run of megabytes would overflow the engine's stack. */
const NAME = /[\w$.\-\u00c0-\u1fff\u2c00-\u2fef\u3040-\ud7ff\uf900-\ufdff\ufe70-\ufefe\uff10-\uffef]+/g;
/** What may stand between a name and its value: closing quotes or brackets of the name, then a separator. JSON within JSON doubles its backslashes. */
const SEPARATOR = /["'`”’\\\])]{0,600}\s{0,64}(?:=>|:=|={1,3}|:|%3[AD]|\|)\s{0,64}/iy;
const PAIR = /\\*["'`]\s{0,64},\s{0,64}(?=\\*["'`])/y;
const BEFORE_QUOTE = /\s{1,64}(?=\\*["'`“«])/y;
const BLANK = /\s{1,64}/y;
const PROSE = /["'`”’]?\s{1,64}(?:is|was|are|es)\s{1,64}(?!(?:not|no|too|in|on|the|a|an|of|to|for|invalid|expired|missing|required|wrong|incorrect|empty|malformed|revoked|null|undefined|unknown|valid|used|set)\b)/iy;
const KEPT = /^(?:null|undefined|none|nil|true|false|\*+)?$/i;

/** Hides the value of every member whose name is secret: `key=value`, `"key": "value"`, headers, flags, tags, prose. */
export function hideMembers(text: string, judge: KeyJudge): string {
  let out = "";
  let done = 0;
  NAME.lastIndex = 0;
  for (let found = NAME.exec(text); found !== null; found = NAME.exec(text)) {
    const start = found.index;
    const after = NAME.lastIndex;
    const name = nameAt(text, start, found[0]);
    const at = valueStart(text, start, after, name);
    if (at === undefined || at >= text.length || !judge.denied(name)) continue;
    const before = text[start - 1] ?? "";
    const bounds = valueBounds(text, at, judge.wholeLine(name), before === '"' || before === "'" ? before : "");
    if (!KEPT.test(text.slice(bounds.start, Math.min(bounds.end, bounds.start + 16)))) {
      out += `${text.slice(done, bounds.start)}[redacted]`;
      done = bounds.end;
    }
    NAME.lastIndex = Math.max(after, bounds.end);
  }
  return done === 0 ? text : out + text.slice(done);
}

/** An escape glued to a name is no part of it: `\napi_key`, `%26api_key`. */
function nameAt(text: string, start: number, name: string): string {
  if (text[start - 1] === "\\" && /^[nrt]/.test(name)) return name.slice(1);
  if (text[start - 1] === "%" && /^[0-9A-Fa-f]{2}/.test(name)) return name.slice(2);
  return name;
}

function valueStart(text: string, start: number, after: number, name: string): number | undefined {
  const next = text[after];
  if (next === ">" && text[start - 1] === "<") return after + 1;
  return (
    matchEnd(SEPARATOR, text, after) ??
    matchEnd(PAIR, text, after) ??
    matchEnd(BEFORE_QUOTE, text, after) ??
    matchEnd(PROSE, text, after) ??
    (name.startsWith("--") ? matchEnd(BLANK, text, after) : undefined)
  );
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
