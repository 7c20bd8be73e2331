import { createHash } from "node:crypto";
import { HebraError } from "./errors.ts";
import type { JsonValue } from "./json.ts";

/**
 * JSON in one form only: RFC 8785 (JSON Canonicalization Scheme) — members sorted by UTF-16 code units, numbers and
 * strings as ECMAScript prints them, no white space. Members that are `undefined` are left out.
 *
 * @throws HebraError `NOT_SERIALIZABLE` for what JSON cannot hold exactly: `undefined` in an array, functions, symbols,
 * bigints, NaN and infinities, lone surrogates, cycles, and objects that are not plain.
 *
 * @example
 * ```ts
 * import { canonicalJson } from "@hebra/core";
 *
 * console.log(canonicalJson({ b: 1, a: [true, null] })); // {"a":[true,null],"b":1}
 * ```
 */
export function canonicalJson(value: unknown): string {
  return write(value, "$", []);
}

/** The lower-case hex SHA-256 of {@link canonicalJson}: equal documents have equal digests, whatever their key order. */
export function digest(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value), "utf8").digest("hex");
}

/**
 * Checks that a value is plain JSON, as {@link canonicalJson} does.
 *
 * @throws HebraError `NOT_SERIALIZABLE` with the path of the first value that is not.
 */
export function assertJson(value: unknown, path = "$"): asserts value is JsonValue {
  check(value, path, []);
}

function refuse(path: string, what: string): never {
  throw new HebraError("NOT_SERIALIZABLE", `${path} is ${what}, which JSON cannot hold.`, { details: { path } });
}

function checkString(value: string, path: string): void {
  if (!value.isWellFormed()) refuse(path, "a string with a lone surrogate");
}

function checkScalar(value: unknown, path: string): void {
  switch (typeof value) {
    case "boolean":
      return;
    case "number":
      if (!Number.isFinite(value)) refuse(path, String(value));
      return;
    case "string":
      return checkString(value, path);
    default:
      refuse(path, typeof value === "undefined" ? "undefined" : `a ${typeof value}`);
  }
}

function checkObject(value: object, path: string, ancestors: object[]): void {
  if (ancestors.includes(value)) refuse(path, "part of a cycle");
  if (Array.isArray(value)) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype as object) !== null) {
    refuse(path, `a ${value.constructor?.name ?? "special"} object`);
  }
}

function check(value: unknown, path: string, ancestors: object[]): void {
  if (value === null) return;
  if (typeof value !== "object") return checkScalar(value, path);
  checkObject(value, path, ancestors);
  ancestors.push(value);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) check(value[i], `${path}[${i}]`, ancestors);
  } else {
    for (const key of Object.keys(value)) {
      const member = (value as Record<string, unknown>)[key];
      if (member === undefined) continue;
      checkString(key, `${path}.${key}`);
      check(member, `${path}.${key}`, ancestors);
    }
  }
  ancestors.pop();
}

function write(value: unknown, path: string, ancestors: object[]): string {
  if (value === null) return "null";
  if (typeof value !== "object") {
    checkScalar(value, path);
    return JSON.stringify(value);
  }
  checkObject(value, path, ancestors);
  ancestors.push(value);
  let text: string;
  if (Array.isArray(value)) {
    text = `[${Array.from(value, (member, i) => write(member, `${path}[${i}]`, ancestors)).join(",")}]`;
  } else {
    const members: string[] = [];
    for (const key of Object.keys(value).sort()) {
      const member = (value as Record<string, unknown>)[key];
      if (member === undefined) continue;
      checkString(key, `${path}.${key}`);
      members.push(`${JSON.stringify(key)}:${write(member, `${path}.${key}`, ancestors)}`);
    }
    text = `{${members.join(",")}}`;
  }
  ancestors.pop();
  return text;
}
