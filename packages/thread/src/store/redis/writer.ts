import { ROW_VERSION } from "../rows.ts";
import type { Access, Only, Table, Value } from "../table.ts";
import { contexts, executions, items, leases, threads } from "../tables.ts";
import type { Drop, Put, Update, Write } from "../verbs/op.ts";
import {
  isWide,
  keyValues,
  ofTable,
  pack,
  placeOf,
  servedBy,
  threadKeys,
  toField,
  type Keys,
  type ThreadKeys,
} from "./layout.ts";
import type { Routes } from "./routes.ts";

/** A write as the script takes it. */
export interface Plan {
  keys: string[];
  args: string[];
}

/** @param revision - at which the plan was made; empty when the write guards itself */
export function planWrite(write: Write, tag: string, keys: Keys, revision: string, channel: string): Plan {
  const own = threadKeys(keys, tag);
  const names = new Map<string, number>([[own.revision, 1]]);
  const use = (name: string): string => {
    if (!names.has(name)) names.set(name, names.size + 1);
    return String(names.get(name)!);
  };
  const args: string[] = [revision];
  const { when, puts, sets, notify } = write;
  if (when !== undefined) {
    const row = use(own.row(when.table, when.key.slice(1)));
    for (const { field, is, value } of when.conditions)
      args.push("C", row, nameOf(when.table, field), is, toField(value));
    args.push(...hset(row, fieldPairs(when.table, when.fields)));
  }
  for (const put of puts)
    for (const row of put.rows) for (const step of putSteps(put, row, own, use)) args.push(...step);
  for (const one of sets) args.push(...setSteps(one, own, use));
  for (const name of droppedKeys(write.drops ?? [], own)) args.push("D", use(name));
  if ((write.drops ?? []).length > 0) args.push("L", use(own.revision), String(REVISION_MS));
  if (notify !== undefined) args.push("P", channel, JSON.stringify([notify.tenant, notify.contextId]));
  if (when !== undefined)
    args.push("G", use(own.row(when.table, when.key.slice(1))), "1", nameOf(when.table, when.returning));
  return { keys: [...names.keys()], args };
}

const nameOf = (table: Table<object>, field: string): string => table.columns[placeOf(table, field)]!.name;

const fieldPairs = (table: Table<object>, fields: Readonly<Record<string, Value>>): string[] =>
  Object.entries(fields).flatMap(([field, value]) => [nameOf(table, field), toField(value)]);

/** The columns of a wide row that its writes name, with their places. The version has a step of its own. */
const written = ofTable((table) =>
  table.columns
    .map(({ name, field, keep }, place) => ({ name, field, keep, place }))
    .filter(({ field, place }) => place > 0 && field !== "v"),
);

/** The ways of access in which a row has an entry. */
const entered = ofTable((table) =>
  Object.values(table.accesses).filter((access) => ["directory", "index"].includes(servedBy(table, access))),
);

const hset = (key: string, pairs: readonly string[]): string[] => ["H", key, String(pairs.length / 2), ...pairs];

/**
 * How long the revision of a deleted thread is kept, in milliseconds: a write that was planned before must not meet the
 * same number again.
 */
const REVISION_MS = 3_600_000;

/** Every key that holds something of these rows. They are all that there is of their thread, so the keys go whole. */
function droppedKeys(drops: readonly Drop[], own: ThreadKeys): Set<string> {
  const names = new Set<string>();
  for (const { table, rows } of drops) {
    for (const row of rows) {
      const key = keyValues(table, row);
      names.add(isWide(table) ? own.row(table, key) : own.packed(table, key.slice(0, -1)));
      if (isWide(table) && key.length > 1) names.add(own.list(table, key.slice(0, -1)));
      for (const access of entered(table)) {
        if (servedBy(table, access) === "directory") names.add(own.directory(table, access));
        else
          names.add(
            own.index(
              table,
              access,
              access.by.slice(1).map((field) => row[placeOf(table, field)]!),
            ),
          );
      }
    }
  }
  return names;
}

/** One row as steps: what must not be there, then what is written. */
function putSteps(
  { table, mode }: Put,
  row: readonly Value[],
  own: ThreadKeys,
  use: (name: string) => string,
): string[][] {
  const key = keyValues(table, row);
  const [partition, last] = [key.slice(0, -1), key.at(-1)!];
  const steps: string[][] = [];
  if (isWide(table)) {
    const name = use(own.row(table, key));
    if (mode === "insert") steps.push(["X", name]);
    const pairs: string[] = [];
    for (const column of written(table))
      if (mode !== "put" || !column.keep) pairs.push(column.name, toField(row[column.place] ?? null));
    steps.push(hset(name, pairs));
    steps.push(["V", name, nameOf(table, "v"), toField(row[placeOf(table, "v")]!)]);
    if (partition.length > 0) steps.push(["S", use(own.list(table, partition)), String(last)]);
  } else {
    const name = use(own.packed(table, partition));
    if (mode === "insert") steps.push(["F", name, String(last)]);
    steps.push(["T", name, String(last), String(ROW_VERSION), pack(table, row)]);
  }
  for (const access of entered(table)) steps.push(...entry(table, access, row, key, own, use));
  const { until } = table;
  if (mode === "put" && until !== undefined)
    steps.unshift(["U", use(own.row(table, key)), nameOf(table, until.field), until.is, String(steps.length)]);
  return steps;
}

/** A row's place in one access. */
function entry(
  table: Table<object>,
  access: Access,
  row: readonly Value[],
  key: readonly Value[],
  own: ThreadKeys,
  use: (name: string) => string,
): string[][] {
  if (servedBy(table, access) === "directory")
    return [hset(use(own.directory(table, access)), [String(key.at(-1)), JSON.stringify(key.slice(0, -1))])];
  const by = access.by.slice(1).map((field) => row[placeOf(table, field)] ?? null);
  if (by.some((value) => value === null)) return [];
  const name = use(own.index(table, access, by));
  const member = JSON.stringify(key);
  if (!access.only.every((only) => holds(only, row[placeOf(table, only.field)]!))) return [["R", name, member]];
  const score = row[placeOf(table, access.order[0]!)]!;
  return [["Z", name, score === null ? "+inf" : String(score), member]];
}

function holds(only: Only, value: Value): boolean {
  if ("in" in only) return only.in.includes(value as string);
  return "not" in only ? value !== only.not : value !== null;
}

/** Changes of rows that are there; one that is not is left out. */
function setSteps({ table, key, anyOf, fields }: Update, own: ThreadKeys, use: (name: string) => string): string[] {
  const each = anyOf === undefined ? [key] : anyOf.map((last) => [...key, last]);
  return each.flatMap((one) => {
    const values = one.slice(1);
    const name = use(own.row(table, values));
    const steps = [hset(name, fieldPairs(table, fields))];
    for (const access of Object.values(table.accesses)) {
      const left = access.only.some((only) => fields[only.field] !== undefined && !holds(only, fields[only.field]!));
      if (left && servedBy(table, access) === "index")
        steps.push(["R", use(own.index(table, access, values.slice(0, -1))), JSON.stringify(values)]);
    }
    return [["E", name, String(steps.length)], ...steps].flat();
  });
}

/** The thread that a write is about; `undefined` when it is of a context that is not there. */
export async function threadOf(
  { when, puts, sets, drops = [] }: Write,
  routes: Routes,
): Promise<{ tenant: string; threadId: string } | undefined> {
  for (const { table, rows } of [...puts, ...drops]) {
    const field =
      table === leases
        ? "key"
        : table === threads
          ? "id"
          : table === contexts || table === executions || table === items
            ? "threadId"
            : undefined;
    if (field !== undefined)
      return { tenant: rows[0]![0] as string, threadId: rows[0]![placeOf(table, field)] as string };
  }
  if (when !== undefined && when.table === leases)
    return { tenant: when.key[0] as string, threadId: when.key[1] as string };
  const key = (when ?? sets.find(({ table }) => table === contexts))?.key;
  if (key !== undefined) {
    const threadId = await routes.thread(key[0] as string, "context", key[1] as string);
    return threadId === undefined ? undefined : { tenant: key[0] as string, threadId };
  }
  const thread = sets.find(({ table }) => table === threads)?.key;
  return thread === undefined ? undefined : { tenant: thread[0] as string, threadId: thread[1] as string };
}
