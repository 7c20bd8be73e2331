import type { Value } from "../table.ts";
import type { Find, Read, Ref, Rows, Verb, Write } from "./op.ts";

/** A find whose values are all known. */
export interface PlainFind extends Find {
  values: readonly Value[];
  anyOf?: readonly Value[];
}

const isRef = (value: unknown): value is Ref => typeof value === "object" && value !== null && "of" in value;

/**
 * The finds of a read one after another, for adapters in whose transaction nothing changes between two of them. Each is
 * run once.
 */
export function runRead(read: Read, run: (find: PlainFind) => Rows): Rows[] {
  const done = new Map<Find, Rows>();
  const rowsOf = (find: Find): Rows => {
    let rows = done.get(find);
    if (rows === undefined) done.set(find, (rows = runOne(find)));
    return rows;
  };
  const fields = ({ of, field }: Ref): Value[] => {
    const place = of.table.places.get(field)!;
    return rowsOf(of).map((row) => row[place]!);
  };
  const runOne = (find: Find): Rows => {
    const values = find.values.map((value) => (isRef(value) ? (fields(value)[0] ?? null) : value));
    // As in SQL, nothing equals null.
    if (values.includes(null)) return [];
    if (find.anyOf === undefined) return run({ ...find, values } as PlainFind);
    const anyOf = isRef(find.anyOf) ? fields(find.anyOf).filter((value) => value !== null) : find.anyOf;
    return anyOf.length === 0 ? [] : run({ ...find, values, anyOf });
  };
  return read.finds.map(rowsOf);
}

/** Tables that answer at once. */
export interface SyncTables {
  find(find: PlainFind): Rows;
  /** A row of what `when` returns, or nothing when that did not hold and so nothing was written. */
  write(change: Write): Rows;
}

/** Runs a verb to its end. @returns its result, and what to tell watchers once it has landed */
export function runSync<T>(
  verb: Verb<T>,
  tables: SyncTables,
): { value: T; news: { tenant: string; contextId: string }[] } {
  const news: { tenant: string; contextId: string }[] = [];
  let step = verb.next([]);
  while (step.done !== true) {
    const op = step.value;
    if (op.op === "read") step = verb.next(runRead(op, (find) => tables.find(find)));
    else {
      const rows = tables.write(op);
      if (op.notify !== undefined && (op.when === undefined || rows.length > 0)) news.push(op.notify);
      step = verb.next([rows]);
    }
  }
  return { value: step.value, news };
}
