import { existsSync } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { HebraError, type JsonObject } from "@hebra/core";
import { eachLine, parseRow } from "./json-lines.ts";
import { jsonTables } from "./json-tables.ts";
import { columnsOf } from "./index-tables.ts";
import type { TableSource } from "./tables.ts";
import { idProblem, type Note } from "../mapping/clean-row.ts";
import { first, idOf, type Reject } from "../mapping/transform.ts";
import { linesOf, markOf, storyRowId, type ContextMark } from "../story-to-thread/lines.ts";
import { storyEntities, type StoryEntity } from "../story-to-thread/mapping.ts";
import type { SourceInventory, StoryGroup, StorySource } from "./source.ts";

/**
 * Where the rows of a context lie in their files: offset and length by turns; rows that follow each other share a
 * range.
 */
type Places = Record<StoryEntity, number[]>;

interface Index {
  places: Map<string, Places>;
  /** The main context of each context's thread. */
  mainOf: Map<string, string>;
  inventory: SourceInventory;
}

const parentOf: Readonly<Record<StoryEntity, { paths: string[]; entity: StoryEntity } | undefined>> = {
  context_contexts: undefined,
  context_events: { paths: ["context", "contextId"], entity: "context_contexts" },
  story_executions: { paths: ["context", "contextId"], entity: "context_contexts" },
  story_steps: { paths: ["execution", "executionId"], entity: "story_executions" },
  story_parts: { paths: ["step", "stepId"], entity: "story_steps" },
};

/**
 * Reads rows from a folder with one file an entity or table, `<name>.jsonl`, one row a line: the old engine's, or with
 * a mapping those of your own, which may also be a JSON array in `<name>.json`. The rows may come in any order; where
 * each lies is kept in memory, the rows are not. Files that change are noticed when they are asked for again.
 *
 * @example
 * ```ts
 * import { jsonlSource, planMigration } from "@hebra/migrate";
 *
 * export const planned = () => planMigration({ source: jsonlSource("./export"), target: { name: "sqlite" } });
 * ```
 *
 * @throws HebraError `SOURCE_INVALID` when the folder has no `context_contexts.jsonl`. Files of the other entities may
 * be absent.
 */
export function jsonlSource(folder: string): StorySource & TableSource {
  let known: { mark: string; index: Promise<Index> } | undefined;
  /** Files that changed since they were read are read again: a plan has to see it. */
  async function index(): Promise<Index> {
    const mark = await fileMark(folder);
    if (known?.mark !== mark) known = { mark, index: buildIndex(folder) };
    return known.index;
  }
  return {
    ...jsonTables(folder),
    inventory: async () => (await index()).inventory,
    async *groups() {
      const known = await index();
      const files = new Map<StoryEntity, FileHandle>();
      try {
        for (const entity of storyEntities)
          if (existsSync(fileOf(folder, entity))) files.set(entity, await open(fileOf(folder, entity)));
        for (const id of inOrder(known)) {
          const main = known.mainOf.get(id)!;
          yield await readGroup(files, known.places.get(id)!, main === id ? undefined : known.places.get(main)!);
        }
      } finally {
        for (const file of files.values()) await file.close();
      }
    },
  };
}

const fileOf = (folder: string, entity: StoryEntity): string => join(folder, `${entity}.jsonl`);

/** Size, time and place of every file. */
async function fileMark(folder: string): Promise<string> {
  const files = await Promise.all(
    storyEntities.map((entity) =>
      stat(fileOf(folder, entity)).then(
        ({ size, mtimeMs, ino }) => `${size} ${mtimeMs} ${ino}`,
        () => "absent",
      ),
    ),
  );
  return files.join("; ");
}

async function buildIndex(folder: string): Promise<Index> {
  if (!existsSync(fileOf(folder, "context_contexts"))) {
    throw new HebraError(
      "SOURCE_INVALID",
      `${folder} holds no context_contexts.jsonl: it is not a folder of the old engine's rows.`,
      { details: { folder } },
    );
  }
  const places = new Map<string, Places>();
  const rejects: Reject[] = [];
  const notes: Note[] = [];
  const entities: SourceInventory["entities"] = [];
  /** The context of every row that may have children. */
  const contextOf = perEntity(() => new Map<string, string>());
  const marks: ContextMark[] = [];
  let mainOf: Index["mainOf"] = new Map();

  for (const entity of storyEntities) {
    const parent = parentOf[entity];
    let rows = 0;
    const sha256 = await eachLine(fileOf(folder, entity), ({ text, offset, length, line, utf8 }) => {
      rows++;
      const refuse = (id: string | null, code: Reject["code"], path: string, detail: string) =>
        void rejects.push({ entity, id: id?.toWellFormed() ?? null, code, path, detail });
      const row = parseRow(text);
      if (row === undefined) return refuse(null, "ROW_INVALID", `line ${line}`, "it is not a JSON object");
      const id = storyRowId(row);
      if (id === undefined) return refuse(null, "ROW_INVALID", "id", `line ${line} has no usable id${columnsOf(row)}`);
      const problem = idProblem(id);
      if (problem !== undefined) return refuse(id, "ROW_INVALID", "id", `${problem} (line ${line})`);
      if (contextOf[entity].has(id)) return refuse(id, "ROW_DUPLICATE", "id", `a ${entity} with this id came before`);
      if (!utf8) notes.push({ entity, id, code: "TEXT_REPAIRED", path: `line ${line}`, detail: NOT_UTF8 });
      let contextId: string | undefined = id;
      if (parent !== undefined) {
        const parentId = idOf(first(row, parent.paths)?.value);
        contextId = parentId === undefined ? undefined : contextOf[parent.entity].get(parentId);
        if (contextId === undefined)
          return refuse(
            id,
            "ROW_ORPHANED",
            parent.paths[0]!,
            parentId === undefined
              ? `it names no ${parent.entity}`
              : `there is no ${parent.entity} ${parentId.toWellFormed()}`,
          );
      } else {
        marks.push(markOf(row, id));
        places.set(
          id,
          perEntity(() => []),
        );
      }
      contextOf[entity].set(id, contextId);
      addRange(places.get(contextId)![entity], offset, length);
    });
    entities.push({ entity, rows, sha256 });
    if (entity !== "context_contexts") continue;
    const lines = linesOf(marks);
    mainOf = lines.mainOf;
    rejects.push(...lines.rejects);
    for (const { id } of lines.rejects) {
      places.delete(id!);
      contextOf.context_contexts.delete(id!);
    }
  }
  return { places, mainOf, inventory: { entities, contexts: places.size, rejects, notes } };
}

const NOT_UTF8 = "bytes that are not UTF-8 became U+FFFD";

function perEntity<T>(make: () => T): Record<StoryEntity, T> {
  return Object.fromEntries(storyEntities.map((entity) => [entity, make()])) as Record<StoryEntity, T>;
}

/** Contexts by id, those of one thread together with the main one first. */
function inOrder({ places, mainOf }: Index): string[] {
  const key = (id: string) => [mainOf.get(id)!, mainOf.get(id) === id ? "" : id] as const;
  const compare = (a: string, b: string) => (a === b ? 0 : a < b ? -1 : 1);
  return [...places.keys()].sort((a, b) => compare(key(a)[0], key(b)[0]) || compare(key(a)[1], key(b)[1]));
}

/** Rows of a context mostly follow each other: one range for all of them is one read. */
function addRange(ranges: number[], offset: number, length: number): void {
  const last = ranges.length - 2;
  if (last >= 0 && ranges[last]! + ranges[last + 1]! + 1 === offset) ranges[last + 1] = offset + length - ranges[last]!;
  else ranges.push(offset, length);
}

async function readGroup(
  files: ReadonlyMap<StoryEntity, FileHandle>,
  own: Places,
  main: Places | undefined,
): Promise<StoryGroup> {
  const read = async (entity: StoryEntity, places = own): Promise<JsonObject[]> => {
    const rows: JsonObject[] = [];
    for (let i = 0; i < places[entity].length; i += 2) {
      const bytes = Buffer.alloc(places[entity][i + 1]!);
      const { bytesRead } = await files.get(entity)!.read(bytes, 0, bytes.length, places[entity][i]!);
      for (const line of bytes.toString("utf8").split("\n")) {
        if (line.trim() === "") continue;
        const row = bytesRead === bytes.length ? parseRow(line) : undefined;
        if (row === undefined)
          throw new HebraError(
            "SOURCE_INVALID",
            `The rows of ${entity} changed while they were read. Let the export end first, and make a new plan.`,
            { details: { entity } },
          );
        rows.push(row);
      }
    }
    return rows;
  };
  return {
    context: (await read("context_contexts"))[0]!,
    events: await read("context_events"),
    executions: await read("story_executions"),
    steps: await read("story_steps"),
    parts: await read("story_parts"),
    ...(main === undefined ? {} : { main: (await read("context_contexts", main))[0]! }),
  };
}
