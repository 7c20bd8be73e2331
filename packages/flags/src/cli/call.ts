import { numberFrom, oneLineAll, required, type Call, type Report } from "@hebra/cli-kit";
import { errorMessage, HebraError } from "@hebra/core";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { adminClient, type AdminClient, type Answer } from "./client.ts";
import type { Given, OptionName } from "./option-table.ts";

/** One command with what it was given. */
export interface FlagCall extends Call<Given> {
  /** The flag, or the module. */
  readonly operand: string;
  readonly given: Given;
  /** @throws HebraError `INVALID_OPTIONS` without an address */
  readonly client: () => AdminClient;
}

/** Adds the admin's client, from options or `HEBRA_FLAGS_URL` and `HEBRA_FLAGS_TOKEN`. */
export function flagCall(call: Call<Given>): FlagCall {
  const { options, operands, io } = call;
  const url = options.url ?? io.env["HEBRA_FLAGS_URL"];
  const token = options.token ?? io.env["HEBRA_FLAGS_TOKEN"];
  return { ...call, given: options, operand: operands[0] ?? "", client: () => adminClient(io, url, token) };
}

/** Asks the admin; a change carries its idempotency key. */
export function ask<T>(
  { client, given }: FlagCall,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer<T>> {
  const key = given.key === undefined || method === "GET" ? {} : { "idempotency-key": given.key };
  return client().call<T>(method, path, body, { ...key, ...headers });
}

/** What a command found; people get text of others with its line breaks and controls escaped. */
export const show = <T extends object>(value: T, human: (safe: T) => string): Report => ({
  report: value,
  text: human(oneLineAll(value)),
});

/** @throws HebraError `INVALID_OPTIONS` */
export function reasonOf({ given }: FlagCall): string {
  if (given.reason === undefined || given.reason.trim() === "")
    throw new HebraError("INVALID_OPTIONS", "Say why: --reason TEXT. It is kept with the evidence.");
  return given.reason;
}

/** A text option. @throws HebraError `INVALID_OPTIONS` */
export const needed = (given: Given, name: OptionName): string => required(name, given[name]);

/** A number option. @throws HebraError `INVALID_OPTIONS` */
export const numberOption = (given: Given, name: OptionName, otherwise: number, least = 0): number =>
  numberFrom(name, given[name], otherwise, least);

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

/**
 * The default export of a module: options, or a function that makes them.
 *
 * @throws HebraError `INVALID_OPTIONS`
 */
export async function moduleDefault(path: string): Promise<unknown> {
  let loaded: { default?: unknown };
  try {
    loaded = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
  } catch (error) {
    throw new HebraError("INVALID_OPTIONS", `${path} cannot be loaded: ${errorMessage(error)}.`, { cause: error });
  }
  if (loaded.default === undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      `${path} has no default export: it must be the options, or a function that makes them.`,
    );
  return typeof loaded.default === "function" ? await (loaded.default as () => unknown)() : loaded.default;
}
