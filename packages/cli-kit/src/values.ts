import { HebraError } from "@hebra/core";

type Given = string | boolean | undefined;

/** @throws HebraError `INVALID_OPTIONS` */
export function wholeNumber(name: string, value: Given, fallback: number): number {
  if (value === undefined) return fallback;
  const parsed = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(parsed)) return parsed;
  throw new HebraError("INVALID_OPTIONS", `--${name} must be a whole number, not ${String(value)}.`);
}

/** @throws HebraError `INVALID_OPTIONS` */
export function numberFrom(name: string, value: Given, fallback: number, least = 0): number {
  if (value === undefined) return fallback;
  const parsed = typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
  if (Number.isFinite(parsed) && parsed >= least) return parsed;
  throw new HebraError("INVALID_OPTIONS", `--${name} must be a number from ${least} on, not ${String(value)}.`);
}

/** An option that a command cannot do without. @throws HebraError `INVALID_OPTIONS` */
export function required(name: string, value: Given): string {
  if (typeof value === "string" && value !== "") return value;
  throw new HebraError("INVALID_OPTIONS", `--${name} is missing.`);
}
