import { types } from "node:util";
import type { JsonObject, JsonValue } from "./json.ts";
import type { KeyJudge, KeyVerdict } from "./redact-keys.ts";
import { looksCoded, looksRandom } from "./redact-patterns.ts";

/** The limits of one walk; see `RedactorOptions`. */
export interface WalkLimits {
  maxDepth: number;
  maxStringLength: number;
  maxEntries: number;
  maxNodes: number;
}

/**
 * A text is scrubbed with this much of what will be cut off, so that no secret is cut into a piece that is not
 * recognised.
 */
const LOOK_AHEAD = 65_536;
const UNREADABLE = "[unreadable]";
/** The form of trace ids and digests, which under an identifier's name are no keys. */
const HEX_IDENTIFIER = /^[0-9a-f]{32}$/;
const ERROR_FIELDS = ["name", "message", "code", "stack", "cause", "errors"];

/** A numeric key is a position, not a name: its value goes by what holds it. */
const POSITION = /^\d{1,6}$/;
/** What a member's name looks like. Anything else in a key's place is data. */
const NAME = /^[\p{L}_$][\p{L}\p{N}_$.-]{0,63}$/u;

interface Walk {
  nodes: number;
  ancestors: object[];
}

/** Makes the function that copies a value as JSON, without secrets. */
export function createWalker(
  limits: WalkLimits,
  judge: KeyJudge,
  scrub: (text: string) => string,
): (value: unknown) => JsonValue {
  const text = (value: string): string => {
    const { maxStringLength } = limits;
    if (value.length <= maxStringLength) return scrub(value);
    const clean = scrub(value.slice(0, maxStringLength + LOOK_AHEAD));
    if (clean.length <= maxStringLength && value.length <= maxStringLength + LOOK_AHEAD) return clean;
    return `${clean.slice(0, maxStringLength)}…[cut:${value.length}]`.toWellFormed();
  };

  const scalar = (value: unknown, verdict: KeyVerdict): JsonValue => {
    if (value === null || typeof value === "boolean") return value;
    if (value === undefined) return null;
    if (typeof value === "function" || typeof value === "symbol") return `[${typeof value}]`;
    if (verdict !== "allow") return `[redacted:${typeof value}]`;
    if (typeof value === "string") return text(value);
    const printed = String(value);
    const clean = printed.length < 12 ? printed : scrub(printed);
    return typeof value === "number" && Number.isFinite(value) && clean === printed ? value : clean;
  };

  const visit = (value: unknown, verdict: KeyVerdict, walk: Walk): JsonValue => {
    if (++walk.nodes > limits.maxNodes) return "[cut]";
    if (typeof value !== "object" || value === null) return scalar(value, verdict);
    try {
      if (walk.ancestors.includes(value)) return "[cycle]";
      const leaf = asLeaf(value, verdict);
      if (leaf !== undefined) return leaf;
      const kind = Array.isArray(value) ? "array" : types.isMap(value) ? "map" : types.isSet(value) ? "set" : "object";
      if (verdict === "deny") return `[redacted:${kind}]`;
      if (walk.ancestors.length >= limits.maxDepth) return `[cut:${kind}]`;
      walk.ancestors.push(value);
      try {
        return children(value, verdict, walk);
      } finally {
        walk.ancestors.pop();
      }
    } catch {
      return UNREADABLE;
    }
  };

  /** Objects that stand for one value. */
  const asLeaf = (value: object, verdict: KeyVerdict): JsonValue | undefined => {
    if (ArrayBuffer.isView(value)) return `[bytes:${value.byteLength}]`;
    if (types.isAnyArrayBuffer(value)) return `[bytes:${value.byteLength}]`;
    if (types.isProxy(value) && verdict === "deny") return "[redacted:object]";
    if (types.isDate(value)) {
      if (verdict !== "allow") return "[redacted:date]";
      const time = Date.prototype.getTime.call(value);
      return Number.isNaN(time) ? "[invalid date]" : new Date(time).toISOString();
    }
    if (value instanceof URL)
      return verdict === "allow" ? text(value.href.replace(/#.+/, "#[redacted]")) : "[redacted:url]";
    if (types.isRegExp(value))
      return verdict === "allow" ? text(RegExp.prototype.toString.call(value)) : "[redacted:regexp]";
    if (types.isBoxedPrimitive(value)) {
      if (types.isStringObject(value)) return scalar(String.prototype.valueOf.call(value), verdict);
      if (types.isNumberObject(value)) return scalar(Number.prototype.valueOf.call(value), verdict);
      return types.isBooleanObject(value) ? Boolean.prototype.valueOf.call(value) : "[object]";
    }
    if (types.isPromise(value)) return "[promise]";
    return undefined;
  };

  const children = (value: object, verdict: KeyVerdict, walk: Walk): JsonValue => {
    if (Array.isArray(value)) return list(value.length, (at) => value[at] as unknown, verdict, walk);
    if (types.isSet(value)) {
      const members = take(Set.prototype.values.call(value), limits.maxEntries);
      return list(value.size, (at) => members[at], verdict, walk);
    }
    if (types.isMap(value))
      return record(take(Map.prototype.entries.call(value), limits.maxEntries + 1), verdict, walk);
    if (types.isNativeError(value) || value instanceof Error) return errorFields(value, walk);
    if (value instanceof URLSearchParams) return record(take(value.entries(), limits.maxEntries + 1), "unknown", walk);
    if (value instanceof Headers) return record(take(value.entries(), limits.maxEntries + 1), "unknown", walk);
    return record(ownMembers(value, Object.keys(value).slice(0, limits.maxEntries + 1)), verdict, walk);
  };

  const list = (length: number, member: (at: number) => unknown, verdict: KeyVerdict, walk: Walk): JsonValue => {
    const out: JsonValue[] = [];
    let secret = false;
    for (let at = 0; at < Math.min(length, limits.maxEntries); at++) {
      const value = read(() => member(at));
      out.push(value === UNREADABLE ? value : visit(value, secret ? "deny" : verdict, walk));
      // `["--password", "x"]`, `["cookie", "x"]`: a secret's name hides its neighbour.
      secret = typeof value === "string" && value.length <= 64 && judge.verdict(value) === "deny";
    }
    if (length > limits.maxEntries) out.push(`[cut:${length - limits.maxEntries} more]`);
    return out;
  };

  const record = (members: Iterable<readonly [unknown, unknown]>, parent: KeyVerdict, walk: Walk): JsonObject => {
    const out: JsonObject = {};
    let kept = 0;
    for (const [key, value] of members) {
      if (kept >= limits.maxEntries) {
        set(out, "[cut]", "[cut:more]");
        break;
      }
      if (value === undefined) continue;
      const name = typeof key === "string" ? key : undefined;
      const verdict = name === undefined ? "unknown" : POSITION.test(name) ? parent : judge.verdict(name);
      const shown = value === UNREADABLE ? value : (sorted(name, value, verdict) ?? visit(value, verdict, walk));
      set(out, keyText(key, verdict), shown);
      kept++;
    }
    return out;
  };

  /** A text under an allowed key whose values have a form: nothing when it is to be judged as any text. */
  const sorted = (name: string | undefined, value: unknown, verdict: KeyVerdict): string | undefined => {
    if (verdict !== "allow" || name === undefined || typeof value !== "string" || value.length > 256) return undefined;
    const sort = judge.sort(name);
    if (sort === "word" && value.split(/[^A-Za-z0-9]+/).some(looksCoded)) return "[redacted:string]";
    return sort === "identifier" && HEX_IDENTIFIER.test(value) ? value : undefined;
  };

  const errorFields = (error: Error, walk: Walk): JsonObject => {
    const out: JsonObject = {};
    for (const [key, value] of ownMembers(error, ERROR_FIELDS)) {
      if (value === undefined) continue;
      out[key] = value === UNREADABLE ? value : visit(value, judge.verdict(key) === "deny" ? "deny" : "allow", walk);
    }
    const more = Object.keys(error).filter((key) => !ERROR_FIELDS.includes(key));
    const rest = record(ownMembers(error, more.slice(0, limits.maxEntries + 1)), "unknown", walk);
    for (const key of Object.keys(rest)) set(out, key, rest[key]!);
    return out;
  };

  /** A key is text too: one that holds a secret, or is no name, is replaced. */
  const keyText = (key: unknown, verdict: KeyVerdict): string => {
    if (typeof key !== "string")
      return typeof key === "number" || typeof key === "boolean" ? scrub(String(key)) : `[${typeof key}]`;
    if (verdict === "allow" && !POSITION.test(key)) return key;
    if (!NAME.test(key) && !POSITION.test(key)) return "[redacted:key]";
    return looksRandom(key) ? "[redacted:key]" : scrub(key);
  };

  return (value) => visit(value, "allow", { nodes: 0, ancestors: [] });
}

function read(get: () => unknown): unknown {
  try {
    return get();
  } catch {
    return UNREADABLE;
  }
}

function ownMembers(value: object, keys: readonly string[]): [string, unknown][] {
  return keys.map((key) => [key, read(() => (value as Record<string, unknown>)[key])]);
}

function take<T>(values: Iterable<T>, limit: number): T[] {
  const out: T[] = [];
  for (const value of values) {
    if (out.length >= limit) break;
    out.push(value);
  }
  return out;
}

/** Sets a member, also one named `__proto__`; a name that is taken gets a number. */
function set(out: JsonObject, key: string, value: JsonValue): void {
  let name = key;
  for (let n = 2; Object.hasOwn(out, name); n++) name = `${key}#${n}`;
  Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true });
}
