import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { errorMessage, HebraError } from "@hebra/core";
import { defineMapping, type ThreadMapping } from "../own/mapping.ts";
import { presets } from "../own/presets.ts";
import type { MoveSource } from "../plan/moved.ts";
import { jsonlSource } from "../source/jsonl-source.ts";
import { postgresSource } from "../source/postgres.ts";

/** The source and the mapping that options name. */
export async function sourceOf(source: string, mappingFile: string | undefined): Promise<MoveSource> {
  if (/^postgres(ql)?:/.test(source))
    throw new HebraError(
      "INVALID_OPTIONS",
      "--source takes no database URL, as other users of the machine can read arguments. Put the URL into an environment variable and pass --source env:NAME.",
    );
  const variable = /^env:(.+)$/.exec(source)?.[1];
  if (mappingFile === undefined) {
    if (variable !== undefined)
      throw new HebraError("INVALID_OPTIONS", "--source env:NAME reads your own tables: add --mapping FILE.");
    return { source: jsonlSource(source) };
  }
  const mapping = await readMapping(mappingFile);
  if (variable === undefined) return { source: jsonlSource(source), mapping };
  const connectionString = process.env[variable];
  if (connectionString === undefined || connectionString === "")
    throw new HebraError("INVALID_OPTIONS", `The environment variable ${variable}, which --source names, is not set.`);
  return { source: postgresSource({ connectionString }), mapping };
}

async function readMapping(path: string): Promise<ThreadMapping> {
  if (Object.hasOwn(presets, path)) return presets[path]!;
  return defineMapping((await loadMapping(path)) as ThreadMapping);
}

async function loadMapping(path: string): Promise<unknown> {
  const invalid = (cause: unknown) =>
    new HebraError("MAPPING_INVALID", `The mapping ${path} cannot be read: ${errorMessage(cause)}`, { cause });
  try {
    if (path.endsWith(".json")) return JSON.parse(await readFile(path, "utf8")) as unknown;
    const module = (await import(pathToFileURL(resolve(path)).href)) as { mapping?: unknown; default?: unknown };
    return module.mapping ?? module.default;
  } catch (error) {
    throw invalid(error);
  }
}
