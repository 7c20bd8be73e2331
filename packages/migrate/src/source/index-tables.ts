import { HebraError, type JsonObject, type JsonValue } from "@hebra/core";
import { idProblem, type Note } from "../mapping/clean-row.ts";
import { first, idOf, type Reject } from "../mapping/transform.ts";
import type { SourceInventory } from "./source.ts";
import type { OpenTables, TableGroup, TableShape } from "./tables.ts";

/** A row as it was met: what it says, or nothing when it is no JSON object, and where it is. */
export interface MetRow<Place> {
  row: JsonObject | undefined;
  place: Place;
  /** From 1. */
  number: number;
  utf8: boolean;
}

/** How rows of one kind of source are met in order and read again. */
export interface RowReader<Place> {
  /** @returns the table's digest; undefined when there is no such table */
  scan(table: string, visit: (met: MetRow<Place>) => void): Promise<string | undefined>;
  read(table: string, places: readonly Place[]): Promise<JsonObject[]>;
  /** Equal as long as the tables are. */
  mark(tables: readonly string[]): Promise<string>;
}

interface Group<Place> {
  conversation: Place;
  messages: Place[];
  toolCalls: Place[];
}

interface Index<Place> {
  groups: Map<string, Group<Place>>;
  inventory: SourceInventory;
}

/** An id as text: of a string, an exact whole number, or an object with an id. */
export function idText(value: JsonValue | undefined): string | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : undefined;
  return idOf(value);
}

/** Tables of a source whose rows are met in any order: where each lies is kept in memory, the rows are not. */
export function indexedTables<Place>(shape: TableShape, reader: RowReader<Place>): OpenTables {
  const tables = [shape.conversations.table, shape.messages?.table, shape.toolCalls?.table].filter(
    (table) => table !== undefined,
  );
  let known: { mark: string; index: Promise<Index<Place>> } | undefined;
  const index = async () => {
    const mark = await reader.mark(tables);
    if (known?.mark !== mark) known = { mark, index: buildIndex(shape, reader) };
    return known.index;
  };
  return {
    inventory: async () => (await index()).inventory,
    async *groups() {
      const { groups } = await index();
      const read = (table: string | undefined, places: readonly Place[]) =>
        table === undefined || places.length === 0 ? [] : reader.read(table, places);
      for (const [id, places] of groups) {
        const [conversation] = await reader.read(shape.conversations.table, [places.conversation]);
        const messages = await read(shape.messages?.table, places.messages);
        const toolCalls = await read(shape.toolCalls?.table, places.toolCalls);
        yield { id, conversation: conversation!, messages, toolCalls } satisfies TableGroup;
      }
    },
  };
}

async function buildIndex<Place>(shape: TableShape, reader: RowReader<Place>): Promise<Index<Place>> {
  const groups = new Map<string, Group<Place>>();
  const rejects: Reject[] = [];
  const notes: Note[] = [];
  const entities: SourceInventory["entities"] = [];
  const scan = async (table: string, visit: (row: JsonObject, met: MetRow<Place>, refuse: Refuse) => void) => {
    let rows = 0;
    const sha256 = await reader.scan(table, (met) => {
      rows++;
      const refuse: Refuse = (id, code, path, detail) =>
        void rejects.push({ entity: table, id: id?.toWellFormed() ?? null, code, path, detail });
      if (met.row === undefined) return refuse(null, "ROW_INVALID", `line ${met.number}`, "it is not a JSON object");
      if (!met.utf8)
        notes.push({
          entity: table,
          id: null,
          code: "TEXT_REPAIRED",
          path: `line ${met.number}`,
          detail: "bytes that are not UTF-8 became U+FFFD",
        });
      visit(met.row, met, refuse);
    });
    if (sha256 === undefined)
      throw new HebraError(
        "SOURCE_INVALID",
        `The source has no table or file named ${table}, which the mapping reads.`,
        {
          details: { table },
        },
      );
    entities.push({ entity: table, rows, sha256 });
  };

  const { conversations, messages, toolCalls } = shape;
  await scan(conversations.table, (row, { place, number }, refuse) => {
    const value = first(row, [conversations.id])?.value;
    const id = idText(value) ?? (value === undefined && shape.onMissingId === "derive" ? `row ${number}` : undefined);
    if (id === undefined)
      return refuse(null, "ROW_INVALID", conversations.id, `row ${number} has no usable id there${columnsOf(row)}`);
    const problem = idProblem(id);
    if (problem !== undefined) return refuse(id, "ROW_INVALID", conversations.id, problem);
    if (groups.has(id)) return refuse(id, "ROW_DUPLICATE", conversations.id, "a row with this id came before");
    groups.set(id, { conversation: place, messages: [], toolCalls: [] });
  });
  const conversationOf = new Map<string, Group<Place>>();
  if (messages !== undefined)
    await scan(messages.table, (row, { place }, refuse) => {
      const id = messages.id === undefined ? undefined : idText(first(row, [messages.id])?.value);
      const parent = idText(first(row, [messages.conversation])?.value);
      const group = parent === undefined ? undefined : groups.get(parent);
      if (group === undefined)
        return refuse(id ?? null, "ROW_ORPHANED", messages.conversation, orphanOf(row, parent, conversations.table));
      if (id !== undefined && toolCalls !== undefined) conversationOf.set(id, group);
      group.messages.push(place);
    });
  if (toolCalls !== undefined)
    await scan(toolCalls.table, (row, { place }, refuse) => {
      const parent = idText(first(row, [toolCalls.message])?.value);
      const group = parent === undefined ? undefined : conversationOf.get(parent);
      if (group === undefined)
        return refuse(null, "ROW_ORPHANED", toolCalls.message, orphanOf(row, parent, messages!.table));
      group.toolCalls.push(place);
    });
  return { groups, inventory: { entities, contexts: groups.size, rejects, notes } };
}

type Refuse = (id: string | null, code: Reject["code"], path: string, detail: string) => void;

/** Why a row hangs on nothing. */
function orphanOf(row: JsonObject, parent: string | undefined, table: string): string {
  return parent === undefined
    ? `it names no row of ${table}${columnsOf(row)}`
    : `${table} has no row ${parent.toWellFormed()}`;
}

/** The columns that a row has. */
export function columnsOf(row: JsonObject): string {
  const names = Object.keys(row).slice(0, 12);
  return names.length === 0 ? "" : `; its columns are ${names.map((name) => name.toWellFormed()).join(", ")}`;
}
