import { HebraError } from "@hebra/core";
import { readFile } from "node:fs/promises";
import type { AdminClient, Answer } from "./client.ts";
import type { CliIo, ExitCode } from "./io.ts";
import type { OptionName } from "./option-table.ts";
import type { Paint } from "./paint.ts";
import type { Given, Parsed } from "./parse.ts";

/** One command with what it was given. */
export interface Call extends Parsed {
  readonly io: CliIo;
  readonly paint: Paint;
  /** @throws HebraError `INVALID_OPTIONS` without an address */
  readonly client: () => AdminClient;
}

/** Asks the admin; a change carries its idempotency key. */
export function ask<T>(
  { client, given }: Call,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer<T>> {
  const key = given.key === undefined || method === "GET" ? {} : { "idempotency-key": String(given.key) };
  return client().call<T>(method, path, body, { ...key, ...headers });
}

/** Writes what a command found, for machines or for people. */
export function show({ io, given }: Call, value: unknown, human: () => string): ExitCode {
  io.out(`${given.json === true ? JSON.stringify(value) : human()}\n`);
  return 0;
}

/** @throws HebraError `INVALID_OPTIONS` */
export function reasonOf({ given }: Call): string {
  if (typeof given.reason !== "string" || given.reason.trim() === "")
    throw new HebraError("INVALID_OPTIONS", "Say why: --reason TEXT. It goes into the evidence.");
  return given.reason;
}

/** A text option. @throws HebraError `INVALID_OPTIONS` */
export function needed(given: Given, name: OptionName, what: string): string {
  const value = given[name];
  if (typeof value !== "string" || value === "")
    throw new HebraError("INVALID_OPTIONS", `${what}: --${name} is missing.`);
  return value;
}

/** A number option. @throws HebraError `INVALID_OPTIONS` */
export function numberOption(given: Given, name: OptionName, otherwise: number, least = 0): number {
  const value = given[name];
  if (value === undefined) return otherwise;
  const parsed = typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
  if (!Number.isFinite(parsed) || parsed < least)
    throw new HebraError("INVALID_OPTIONS", `--${name} must be a number from ${least} on, not ${String(value)}.`);
  return parsed;
}

/** @throws HebraError `PARSE_ERROR` when the file is missing or no JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new HebraError(
      "PARSE_ERROR",
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "error"}).`,
      { cause: error },
    );
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new HebraError("PARSE_ERROR", `${path} is not JSON: ${(error as Error).message}.`, { cause: error });
  }
}
