import { canonicalJson, digest, type JsonValue } from "@hebra/core";
import type { ContextDocument } from "../target/target.ts";

/** The first place where a context differs from what it should be. */
export interface Difference {
  contextId: string;
  /**
   * `missing`: not in the target; `unreadable`: it is there and cannot be read; `count`: more or fewer rows; `row`:
   * another row in its place; `link`, `order`,
   * `field`: a field that points at another row, that says where a row stands, or any other.
   */
  kind: "missing" | "unreadable" | "count" | "row" | "link" | "order" | "field";
  table: string;
  rowId?: string;
  field?: string;
  expected?: JsonValue;
  found?: JsonValue;
}

type Row = Record<string, JsonValue> & { id: string };

const tables = ["items", "executions", "steps", "parts", "calls"] as const;

/** What the new engine changes in a context when it goes on with it. */
const moving: readonly string[] = [
  "seq",
  "inboxSeq",
  "fence",
  "status",
  "state",
  "stateVersion",
  "sessions",
  "currentExecutionId",
  "updatedAt",
];

/** Fields that say where a row stands among its neighbours. */
const orders: readonly string[] = ["seq", "index", "iteration", "position"];

/** A row that holds what is compared and nothing else: the rest is the store's own. */
type Compared = Record<string, JsonValue>;

function kindOf(field: string): Difference["kind"] {
  if (orders.includes(field)) return "order";
  return field.endsWith("Id") && field !== "id" ? "link" : "field";
}

/** Only what an import wrote; triggers carry no mark, so that those which were not called for are left out. */
export function importedRows(
  found: ContextDocument,
  expected: ContextDocument,
): { document: ContextDocument; newer: number } {
  let newer = 0;
  const imported = (rows: object[]) =>
    rows.filter((row) => {
      const mine = (row as Row)["provenance"] !== null;
      if (!mine) newer++;
      return mine;
    });
  const called = new Set((expected.triggers ?? []).map(triggerId));
  const document = {
    ...found,
    items: imported(found.items),
    executions: imported(found.executions),
    steps: imported(found.steps),
    parts: imported(found.parts),
    calls: imported(found.calls),
    triggers: (found.triggers ?? []).filter((row) => called.has(triggerId(row))),
  };
  return { document, newer };
}

/** What a comparison of one context gave. */
export interface Comparison {
  difference: Difference | undefined;
  /**
   * Of what was found, in the fields that the mapping fills: equal to the expected document's digest exactly when
   * nothing differs.
   */
  digest: string;
}

/** Compares one context, row by row and field by field. */
export function compareContext(
  contextId: string,
  expected: ContextDocument,
  found: ContextDocument,
  movedOn: boolean,
): Comparison {
  let difference: Difference | undefined;
  const report = (found: Omit<Difference, "contextId">) => void (difference ??= { contextId, ...found });

  /** The fields of `want` as the other row has them; those that may have moved on count as they should be. */
  const compareRow = (table: string, want: Row, have: Row, skip: readonly string[] = []): Compared => {
    const compared: Compared = {};
    for (const [field, value] of Object.entries(want)) {
      const other = have[field] ?? null;
      const moved = skip.includes(field);
      compared[field] = moved ? value : other;
      if (!moved && value !== other && canonicalJson(value) !== canonicalJson(other))
        report({
          kind: kindOf(field),
          table,
          rowId: want.id ?? String(want["triggerId"]),
          field,
          expected: value,
          found: other,
        });
    }
    return compared;
  };

  const compareTable = (
    table: string,
    want: readonly Row[],
    have: readonly Row[],
    idOf: (row: Row) => string,
  ): Compared[] => {
    if (want.length !== have.length) report({ kind: "count", table, expected: want.length, found: have.length });
    const byId = new Map(have.map((row) => [idOf(row), row]));
    const compared = want.flatMap((row) => {
      const other = byId.get(idOf(row));
      byId.delete(idOf(row));
      if (other !== undefined) return [compareRow(table, row, other)];
      report({ kind: "row", table, rowId: idOf(row) });
      return [];
    });
    // What nobody called for is part of what was found.
    return [...compared, ...byId.values()];
  };

  const thread = compareRow("threads", expected.thread as Row, found.thread as Row, movedOn ? ["updatedAt"] : []);
  const context = compareRow("contexts", expected.context as Row, found.context as Row, movedOn ? moving : ["fence"]);
  const rows = Object.fromEntries(
    tables.map((table) => [
      table,
      compareTable(table, expected[table] as Row[], found[table] as Row[], ({ id }) => id),
    ]),
  );
  const triggers = compareTable(
    "triggers",
    (expected.triggers ?? []) as Row[],
    (found.triggers ?? []) as Row[],
    triggerId,
  );
  const whole: Record<string, JsonValue> = {
    thread,
    context,
    ...rows,
    ...(expected.triggers === undefined ? {} : { triggers }),
  };
  return { difference, digest: digest(whole) };
}

function triggerId(row: object): string {
  return String((row as { triggerId?: unknown }).triggerId);
}
