import { createHash } from "node:crypto";
import { HebraError } from "./errors.ts";
import type { JsonValue } from "./json.ts";

/** Deep enough for any document; a guard against running out of stack. Cycles end here too, and are then told apart. */
const MAX_DEPTH = 1_000;
/** What {@link JSON.stringify} would have to escape, or what is not well-formed. */
// eslint-disable-next-line no-control-regex -- these are what JSON escapes
const NEEDS_CARE = /["\\\u0000-\u001f\ud800-\udfff]/;

/**
 * JSON in one form only: RFC 8785 (JSON Canonicalization Scheme) — members sorted by UTF-16 code units, numbers and
 * strings as ECMAScript prints them, no white space. Members that are `undefined` are left out.
 *
 * @throws HebraError `NOT_SERIALIZABLE` for what JSON cannot hold exactly: `undefined` in an array, functions, symbols,
 * bigints, NaN and infinities, lone surrogates, cycles, more than 1000 levels, and objects that are not plain.
 *
 * @example
 * ```ts
 * import { canonicalJson } from "@hebra/core";
 *
 * console.log(canonicalJson({ b: 1, a: [true, null] })); // {"a":[true,null],"b":1}
 * ```
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0) ?? explain(value);
}

/**
 * The lower-case hex SHA-256 of {@link canonicalJson}: equal documents have equal digests, whatever their key order.
 */
export function digest(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value), "utf8").digest("hex");
}

/**
 * Checks that a value is plain JSON, as {@link canonicalJson} does.
 *
 * @throws HebraError `NOT_SERIALIZABLE` with the path of the first value that is not.
 */
export function assertJson(value: unknown, path = "$"): asserts value is JsonValue {
  if (!isJson(value, 0)) find(value, path, []);
}

/** Only the value that is refused needs its path: so the fast way tracks none, and a second look finds it. */
function explain(value: unknown): never {
  find(value, "$", []);
  throw new HebraError("NOT_SERIALIZABLE", "$ changed while it was read.", { details: { path: "$" } });
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // The last case is an object from another realm.
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

function isJson(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
      return value.isWellFormed();
    case "number":
      return Number.isFinite(value);
    case "boolean":
      return true;
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isJson(value[i], depth + 1)) return false;
    return true;
  }
  if (!isPlain(value)) return false;
  for (const key of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined && !(isJson(member, depth + 1) && key.isWellFormed())) return false;
  }
  return true;
}

/** The canonical text, or `undefined` for what has none. */
function write(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "number":
      // -0 prints as 0, and ECMAScript's form of a number is the canonical one.
      return Number.isFinite(value) ? String(value) : undefined;
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth >= MAX_DEPTH) return undefined;
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1);
    default:
      return undefined;
  }
}

function writeArray(value: readonly unknown[], depth: number): string | undefined {
  let text = "[";
  for (let i = 0; i < value.length; i++) {
    const member = write(value[i], depth);
    if (member === undefined) return undefined;
    text += i === 0 ? member : `,${member}`;
  }
  return `${text}]`;
}

function writeObject(value: object, depth: number): string | undefined {
  if (!isPlain(value)) return undefined;
  let text = "";
  for (const key of sortedKeys(value)) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    const name = quote(key);
    const written = write(member, depth);
    if (name === undefined || written === undefined) return undefined;
    text += text === "" ? `${name}:${written}` : `,${name}:${written}`;
  }
  return `{${text}}`;
}

function quote(text: string): string | undefined {
  if (!NEEDS_CARE.test(text)) return `"${text}"`;
  return text.isWellFormed() ? JSON.stringify(text) : undefined;
}

/** Most objects come with their keys in order already, or have few: finding that out costs less than `sort`. */
function sortedKeys(value: object): string[] {
  const keys = Object.keys(value);
  for (let i = 1; i < keys.length; i++) {
    if (keys[i - 1]! > keys[i]!) return keys.length > 24 ? keys.sort() : insertionSort(keys);
  }
  return keys;
}

function insertionSort(keys: string[]): string[] {
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i]!;
    let at = i;
    for (; at > 0 && keys[at - 1]! > key; at--) keys[at] = keys[at - 1]!;
    keys[at] = key;
  }
  return keys;
}

function refuse(path: string, what: string): never {
  throw new HebraError("NOT_SERIALIZABLE", `${path} is ${what}, which JSON cannot hold.`, { details: { path } });
}

/** Throws for the first value that JSON cannot hold, naming its path. */
function find(value: unknown, path: string, ancestors: object[]): void {
  if (value === null || typeof value === "boolean") return;
  if (typeof value === "string")
    return value.isWellFormed() ? undefined : refuse(path, "a string with a lone surrogate");
  if (typeof value === "number") return Number.isFinite(value) ? undefined : refuse(path, String(value));
  if (typeof value !== "object") refuse(path, value === undefined ? "undefined" : `a ${typeof value}`);
  if (ancestors.includes(value)) refuse(path, "part of a cycle");
  if (ancestors.length >= MAX_DEPTH) refuse(path.slice(0, 200), `nested deeper than ${MAX_DEPTH} levels`);
  const isArray = Array.isArray(value);
  if (!isArray && !isPlain(value)) refuse(path, `a ${value.constructor?.name ?? "special"} object`);
  ancestors.push(value);
  for (const key of isArray ? value.keys() : Object.keys(value)) {
    const member = (value as Record<string | number, unknown>)[key];
    if (!isArray && member === undefined) continue;
    const at = isArray ? `${path}[${key}]` : `${path}.${key}`;
    if (typeof key === "string" && !key.isWellFormed()) refuse(at.toWellFormed(), "a name with a lone surrogate");
    find(member, at, ancestors);
  }
  ancestors.pop();
}
