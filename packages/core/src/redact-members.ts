import type { KeyJudge } from "./redact-keys.ts";
import { valueBounds } from "./redact-values.ts";

/**
 * Letters, digits and what joins them. Written as ranges: with property escapes a run of megabytes would overflow the
 * engine's stack.
 */
const NAME = /[\w$.\-\u00c0-\u1fff\u2c00-\u2fef\u3040-\ud7ff\uf900-\ufdff\ufe70-\ufefe\uff10-\uff19\uff21-\uffef]+/g;

/**
 * What may close a name: quotes, brackets, their encodings, a terminal's colours. JSON within JSON doubles its
 * backslashes, so there may be
 * many of the first. The others hold characters of names: were they unbounded, each would be looked at once for every
 * one before it.
 */
const QUOTES = String.raw`["'\x60”’\\\])\u0000]`;
const CLOSE = String.raw`${QUOTES}*(?:(?:%(?:25){0,4}2[027]|&(?:quot|apos|#3[49]);|\u001b\[[\d;]{0,12}m)${QUOTES}{0,16}){0,4}`;
const SEPARATOR = new RegExp(
  String.raw`${CLOSE}\s{0,64}(?:=>|:=|={1,3}|[:：＝|]|%(?:25){0,4}3[AD])\s{0,64}(?:\u001b\[[\d;]{0,12}m)?`,
  "iy",
);
/**
 * The name is itself a value, and its own value is the next member: `name="password" value="x"`,
 * `{"key":"apiKey","value":"x"}`.
 */
const NEXT_IS_VALUE = /\\*["']\s{0,64},?\s{0,64}\\*["']?(?:value|val|content|text|data)\\*["']?\s{0,64}[:=]\s{0,64}/iy;
/** Two members of a list. */
const PAIR = /\\*["'`]\s{0,64},\s{0,64}(?=\\*["'`])/y;
const IS_NAME = /\\*["'`]\s{0,64}[:=]/y;
/** A part of a form, after its headers. */
const FORM_PART = /"[^\r\n]{0,200}\r?\n(?:[\w-]{1,64}:[^\r\n]{0,200}\r?\n){0,4}\r?\n/y;
const BEFORE_QUOTE = /\s{1,64}(?=\\*["'`“«])/y;
const BLANK = /\s{1,64}/y;
/** Prose: `access token abc123 expired`. A plain word is no secret, what holds a digit may be one. */
const BEFORE_CODE = /[ \t]{1,8}(?=[^\s\d]{0,64}\d)(?=[^\s=:]{4})/y;
const PROSE =
  /["'`”’]?\s{1,64}(?:(?:was |is |been )?(?:changed|set|reset|updated) to|is|was|are|es)\s{1,64}(?!(?:not|no|too|in|on|the|a|an|of|to|for|invalid|expired|missing|required|wrong|incorrect|empty|malformed|revoked|null|undefined|unknown|valid|used|set|changed|reset|updated)\b)/iy;
/** No secret after a name that is a common word. */
const PLAIN_WORD = /^[a-z]{1,8}[.,;:!?)]?$/;
const KEPT = /^(?:null|undefined|none|nil|true|false|\*+)?$/i;

/**
 * Most words of a text are followed by another word or by punctuation: one look tells, and the patterns above are left
 * out.
 */
const PLAIN = /[A-Za-z0-9]/;
// eslint-disable-next-line no-control-regex -- a terminal's colour may follow a name
const MAY_FOLLOW = /[\s"'`”’\\\])\u0000%&\u001b=:|：＝]/;

/**
 * Hides the value of every member whose name is secret: `key=value`, `"key": "value"`, headers, flags, tags, forms,
 * prose.
 */
export function hideMembers(text: string, judge: KeyJudge): string {
  let out = "";
  let done = 0;
  let previous = { name: "", end: -1 };
  NAME.lastIndex = 0;
  for (let found = NAME.exec(text); found !== null; found = NAME.exec(text)) {
    const start = found.index;
    const after = NAME.lastIndex;
    const name = nameAt(text, start, found[0]);
    // `API key: x`: the name may be two words.
    const first =
      previous.end === start - 1 && text[start - 1] === " " && previous.name.length <= 32 ? previous.name : "";
    previous = { name, end: after };
    const at = valueStart(text, start, after, name);
    if (at === undefined || at >= text.length || !isSecret(judge, first, name)) continue;
    const before = text[start - 1] ?? "";
    const bounds = valueBounds(text, at, judge.wholeLine(name), before === '"' || before === "'" ? before : "");
    if (judge.weak(name) && PLAIN_WORD.test(text.slice(bounds.start, Math.min(bounds.end, bounds.start + 12))))
      continue;
    if (!KEPT.test(text.slice(bounds.start, Math.min(bounds.end, bounds.start + 16)))) {
      out += `${text.slice(done, bounds.start)}[redacted]`;
      done = bounds.end;
    }
    NAME.lastIndex = Math.max(after, bounds.end);
  }
  return done === 0 ? text : out + text.slice(done);
}

function isSecret(judge: KeyJudge, first: string, name: string): boolean {
  if (judge.denied(name)) return true;
  return first !== "" && name.length <= 32 && !judge.denied(first) && judge.denied(`${first} ${name}`);
}

/** An escape glued to a name is no part of it: `\napi_key`, `%26api_key`. */
function nameAt(text: string, start: number, name: string): string {
  if (text[start - 1] === "\\" && /^[nrt]/.test(name)) return name.slice(1);
  if (text[start - 1] === "%" && /^[0-9A-Fa-f]{2}/.test(name)) return name.slice(2);
  return name;
}

function valueStart(text: string, start: number, after: number, name: string): number | undefined {
  const next = text[after];
  if (next === undefined) return undefined;
  if (next === ">") return text[start - 1] === "<" ? after + 1 : undefined;
  const inProse = next === " " && PLAIN.test(text[after + 1] ?? "");
  if (!inProse && !MAY_FOLLOW.test(next)) return undefined;
  return (
    (inProse ? undefined : formalStart(text, after)) ??
    matchEnd(PROSE, text, after) ??
    matchEnd(name.startsWith("--") ? BLANK : BEFORE_CODE, text, after)
  );
}

function formalStart(text: string, after: number): number | undefined {
  const start = matchEnd(SEPARATOR, text, after);
  if (start !== undefined) return start;
  if (!/["'`\\]/.test(text[after]!)) return matchEnd(BEFORE_QUOTE, text, after);
  return (
    matchEnd(NEXT_IS_VALUE, text, after) ??
    pairStart(text, after) ??
    matchEnd(FORM_PART, text, after) ??
    matchEnd(BEFORE_QUOTE, text, after)
  );
}

/** `"cookie", "x"` is a pair, `"kind": "cookie", "at": 1` is not: there the next text is a name. */
function pairStart(text: string, after: number): number | undefined {
  const at = matchEnd(PAIR, text, after);
  if (at === undefined) return undefined;
  IS_NAME.lastIndex = valueBounds(text, at, false, "").end;
  return IS_NAME.test(text) ? undefined : at;
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
