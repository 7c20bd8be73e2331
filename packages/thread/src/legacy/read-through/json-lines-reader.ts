import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, HebraError, type JsonObject } from "@hebra/core";
import { memoryReader, type LegacyTables } from "./memory-reader.ts";
import type { LegacyReader } from "./reader.ts";

const entities = ["context_contexts", "context_events", "story_executions", "story_steps", "story_parts"] as const;

/**
 * Reads rows of the old engine from a folder with one file an entity, `<entity>.jsonl`, one row a line: the same folder
 * that
 * the migration kit reads. The files are read once, whole, into memory: for tests, and for archives that fit there.
 *
 * @param options - `tenant` whose rows the folder holds. @defaultValue "default"
 * @throws HebraError `SOURCE_INVALID` at the first read, when `context_contexts.jsonl` is missing or a line is no JSON
 * object.
 *
 * @example
 * ```ts
 * import { jsonLinesReader } from "@hebra/thread/legacy";
 *
 * const reader = jsonLinesReader("./export", { tenant: "acme" });
 * console.log(typeof reader.byKey); // function
 * ```
 */
export function jsonLinesReader(folder: string, options: { tenant?: string } = {}): LegacyReader {
  const { tenant: mine = "default" } = options;
  let opened: Promise<LegacyReader> | undefined;
  const reader = (): Promise<LegacyReader> =>
    (opened ??= readTables(folder).then((tables) => memoryReader((tenant) => (tenant === mine ? tables : undefined))));
  return {
    byKey: async (tenant, key) => (await reader()).byKey(tenant, key),
    byContextId: async (tenant, contextId) => (await reader()).byContextId(tenant, contextId),
    byExecutionId: async (tenant, executionId) => (await reader()).byExecutionId!(tenant, executionId),
    list: async (tenant, page) => (await reader()).list!(tenant, page),
  };
}

async function readTables(folder: string): Promise<LegacyTables> {
  const tables: Record<string, JsonObject[]> = {};
  for (const entity of entities) tables[entity] = await readRows(folder, entity);
  return tables as unknown as LegacyTables;
}

async function readRows(folder: string, entity: string): Promise<JsonObject[]> {
  const file = `${entity}.jsonl`;
  let text: string;
  try {
    text = await readFile(join(folder, file), "utf8");
  } catch (error) {
    const absent = (error as { code?: string }).code === "ENOENT";
    if (absent && entity !== "context_contexts") return [];
    throw new HebraError(
      "SOURCE_INVALID",
      absent
        ? `The folder holds no ${file}: it is not one of the old engine's rows.`
        : `${file} cannot be read: ${errorMessage(error)}`,
      { cause: error, details: { file } },
    );
  }
  return text.split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [parse(line, `${file} line ${i + 1}`)]));
}

function parse(line: string, where: string): JsonObject {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    row = undefined;
  }
  if (typeof row === "object" && row !== null && !Array.isArray(row)) return row as JsonObject;
  throw new HebraError("SOURCE_INVALID", `${where} is not a JSON object.`, { details: { where } });
}
