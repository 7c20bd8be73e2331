import { digest, errorCode } from "@hebra/core";
import { countRows } from "../plan/plan.ts";
import { openMove, type MoveSource } from "../plan/moved.ts";
import type { ContextDocument, ThreadTarget } from "../target/target.ts";
import { compareContext, importedRows, type Difference } from "./compare.ts";

/** What a verification found. */
export interface Verified {
  ok: boolean;
  contexts: number;
  /** Rows that the source calls for, and those that the import wrote. */
  expected: Record<string, number>;
  found: Record<string, number>;
  /**
   * Over all contexts in order, computed from what was found. It is the plan's `contexts.digest` exactly when nothing
   * differs.
   */
  digest: string;
  /** One for each context that differs. */
  differences: Difference[];
  /** Rows that were written after the move, by the new engine; they are not compared. */
  newer: number;
}

/** Options of {@link verifyMigration}. */
export type VerifyOptions = MoveSource & VerifySettings;

/** Options of a verification besides its source. */
export interface VerifySettings {
  target: ThreadTarget;
  /** @defaultValue "default" */
  tenant?: string;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Compares a target with what the mapping makes of the source: counts, links, order, every field, and a digest over all
 * of it. Changes nothing, and
 * may be run before, during and after a move, also when the new engine has gone on with the threads.
 *
 * @throws HebraError `SOURCE_INVALID`; what the target throws when it cannot be reached.
 *
 * @example
 * ```ts
 * import { jsonlSource, verifyMigration, type ThreadTarget } from "@hebra/migrate";
 *
 * export async function check(target: ThreadTarget): Promise<boolean> {
 *   const { ok, differences } = await verifyMigration({ source: jsonlSource("./export"), target });
 *   for (const { contextId, kind, table, field } of differences) console.log(contextId, kind, table, field);
 *   return ok;
 * }
 * ```
 */
export async function verifyMigration(options: VerifyOptions): Promise<Verified> {
  const { target, tenant = "default", onProgress } = options;
  const moved = openMove(options);
  const total = (await moved.inventory()).contexts;
  const result: Verified = { ok: true, contexts: 0, expected: {}, found: {}, digest: "", differences: [], newer: 0 };
  let done = 0;
  for await (const lines of moved.built()) {
    onProgress?.(++done, total);
    for (const { document } of lines) await verifyContext(result, target, tenant, document);
  }
  result.ok = result.differences.length === 0;
  return result;
}

async function verifyContext(
  result: Verified,
  target: ThreadTarget,
  tenant: string,
  document: ContextDocument | undefined,
): Promise<void> {
  result.contexts++;
  if (document === undefined) return;
  add(result.expected, countRows(document));
  const contextId = (document.context as { id: string }).id;
  const read = await readContext(target, tenant, contextId);
  if (!("thread" in read)) {
    result.differences.push({ contextId, ...read });
    result.digest = digest([result.digest, read.kind]);
    return;
  }
  const imported = importedRows(read, document);
  result.newer += imported.newer;
  add(result.found, countRows(imported.document));
  const compared = compareContext(contextId, document, imported.document, imported.newer > 0);
  result.digest = digest([result.digest, compared.digest]);
  if (compared.difference !== undefined) result.differences.push(compared.difference);
}

/**
 * A context that is there and cannot be read is damaged: that is a finding, where a target that cannot be reached is
 * none.
 */
async function readContext(
  target: ThreadTarget,
  tenant: string,
  contextId: string,
): Promise<ContextDocument | Pick<Difference, "kind" | "table">> {
  try {
    return (await target.export(tenant, contextId)) ?? { kind: "missing", table: "contexts" };
  } catch (error) {
    const code = errorCode(error);
    if (code !== undefined && code !== "INTERNAL") throw error;
    return { kind: "unreadable", table: "contexts" };
  }
}

function add(sums: Record<string, number>, counts: Record<string, number>): void {
  for (const [table, rows] of Object.entries(counts)) sums[table] = (sums[table] ?? 0) + rows;
}
