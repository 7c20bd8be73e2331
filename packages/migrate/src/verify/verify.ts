import { canonicalJson, type JsonValue } from "@hebra/core";
import { countRows } from "../plan/plan.ts";
import type { StorySource } from "../source/source.ts";
import { buildDocument } from "../story-to-thread/build-document.ts";
import type { ContextDocument, ThreadTarget } from "../target/target.ts";

/** The first place where a context differs from what it should be. */
export interface Difference {
  contextId: string;
  /** `missing`: not in the target. `count`, `row`, `field`, `order`: as they say. */
  kind: "missing" | "count" | "row" | "field" | "order";
  table: string;
  rowId?: string;
  field?: string;
  expected?: JsonValue;
  found?: JsonValue;
}

/** What a verification found. */
export interface Verified {
  ok: boolean;
  contexts: number;
  /** Rows that the source calls for, and those that the import wrote. */
  expected: Record<string, number>;
  found: Record<string, number>;
  /** One for each context that differs. */
  differences: Difference[];
  /** Rows that were written after the move, by the new engine; they are not compared. */
  newer: number;
}

type Row = Record<string, JsonValue> & { id: string };

const tables = ["items", "executions", "steps", "parts", "calls"] as const;

/** What the new engine changes in a context when it goes on with it. */
const moving = new Set(["seq", "inboxSeq", "fence", "status", "state", "stateVersion", "sessions", "currentExecutionId", "updatedAt"]);

/**
 * Compares a target with what the mapping makes of the source: counts, links, order and every field. Changes nothing, and
 * may be run before, during and after a move, also when the new engine has gone on with the threads.
 */
export async function verifyMigration(options: { source: StorySource; target: ThreadTarget; tenant?: string; onProgress?: (done: number, total: number) => void }): Promise<Verified> {
  const { source, target, tenant = "default", onProgress } = options;
  const total = (await source.inventory()).contexts;
  const result: Verified = { ok: true, contexts: 0, expected: {}, found: {}, differences: [], newer: 0 };
  for await (const group of source.groups()) {
    const { document } = buildDocument(group);
    onProgress?.(++result.contexts, total);
    if (document === undefined) continue;
    add(result.expected, countRows(document));
    const contextId = (document.context as Row).id;
    const found = await target.export(tenant, contextId);
    if (found === undefined) {
      result.differences.push({ contextId, kind: "missing", table: "contexts" });
      continue;
    }
    const imported = importedRows(found);
    result.newer += imported.newer;
    add(result.found, countRows(imported.document));
    const difference = compare(contextId, document, imported.document, imported.newer > 0);
    if (difference !== undefined) result.differences.push(difference);
  }
  result.ok = result.differences.length === 0;
  return result;
}

/** Only what an import wrote. */
function importedRows(found: ContextDocument): { document: ContextDocument; newer: number } {
  let newer = 0;
  const imported = (rows: object[]) =>
    rows.filter((row) => {
      const mine = (row as Row)["provenance"] !== null;
      if (!mine) newer++;
      return mine;
    });
  const document = { ...found, items: imported(found.items), executions: imported(found.executions), steps: imported(found.steps), parts: imported(found.parts), calls: imported(found.calls) };
  return { document, newer };
}

function compare(contextId: string, expected: ContextDocument, found: ContextDocument, movedOn: boolean): Difference | undefined {
  const skip = movedOn ? moving : new Set<string>();
  const head = compareRow(contextId, "threads", expected.thread as Row, found.thread as Row, movedOn ? new Set(["updatedAt"]) : new Set()) ?? compareRow(contextId, "contexts", expected.context as Row, found.context as Row, new Set([...skip, "fence"]));
  if (head !== undefined) return head;
  for (const table of tables) {
    const want = expected[table] as Row[];
    const have = new Map((found[table] as Row[]).map((row) => [row.id, row]));
    if (want.length !== have.size) return { contextId, kind: "count", table, expected: want.length, found: have.size };
    for (const row of want) {
      const other = have.get(row.id);
      if (other === undefined) return { contextId, kind: "row", table, rowId: row.id };
      const difference = compareRow(contextId, table, row, other, new Set());
      if (difference !== undefined) return difference;
    }
  }
  const order = (document: ContextDocument) => (document.items as Row[]).toSorted((a, b) => Number(a["seq"]) - Number(b["seq"])).map(({ id }) => id);
  const want = order(expected);
  const have = order(found);
  const at = want.findIndex((id, i) => have[i] !== id);
  return at === -1 ? undefined : { contextId, kind: "order", table: "items", rowId: want[at]!, expected: at, found: have.indexOf(want[at]!) };
}

function compareRow(contextId: string, table: string, expected: Row, found: Row, skip: ReadonlySet<string>): Difference | undefined {
  for (const [field, value] of Object.entries(expected)) {
    if (skip.has(field)) continue;
    const other = found[field] ?? null;
    if (canonicalJson(value) !== canonicalJson(other)) return { contextId, kind: "field", table, rowId: expected.id, field, expected: value, found: other };
  }
  return undefined;
}

function add(sums: Record<string, number>, counts: Record<string, number>): void {
  for (const [table, rows] of Object.entries(counts)) sums[table] = (sums[table] ?? 0) + rows;
}
