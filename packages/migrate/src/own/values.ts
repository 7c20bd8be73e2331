import type { JsonValue } from "@hebra/core";
import type { ThreadMapping } from "./mapping.ts";

const ISO = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s?(Z|[+-]\d{2}(?::?\d{2})?)?$/;

/** Milliseconds since the epoch; undefined for a time that could mean several moments. */
export function timeOf(value: JsonValue | undefined, time: ThreadMapping["time"] = {}): number | undefined {
  if (typeof value === "number") {
    const at = time.unit === "s" ? Math.round(value * 1_000) : value;
    return Number.isSafeInteger(at) && at >= 0 ? at : undefined;
  }
  const parts = typeof value === "string" ? ISO.exec(value) : null;
  if (parts === null) return undefined;
  const zone = parts[3] ?? (time.zone === "UTC" ? "Z" : undefined);
  if (zone === undefined) return undefined;
  const at = Date.parse(`${parts[1]}T${parts[2]}${/^[+-]\d{2}$/.test(zone) ? `${zone}:00` : zone}`);
  return Number.isNaN(at) ? undefined : at;
}

/** A value that may be kept as JSON text. */
export function parsed(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as JsonValue;
  } catch {
    return value;
  }
}
