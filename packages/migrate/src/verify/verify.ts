import { digest, errorCode } from "@hebra/core";
import { countRows } from "../plan/plan.ts";
import type { StorySource } from "../source/source.ts";
import { buildDocument } from "../story-to-thread/build-document.ts";
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
export interface VerifyOptions {
  source: StorySource;
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
export async function verifyMigration({
  source,
  target,
  tenant = "default",
  onProgress,
}: VerifyOptions): Promise<Verified> {
  const total = (await source.inventory()).contexts;
  const result: Verified = { ok: true, contexts: 0, expected: {}, found: {}, digest: "", differences: [], newer: 0 };
  for await (const group of source.groups()) {
    const { document } = buildDocument(group);
    onProgress?.(++result.contexts, total);
    if (document === undefined) continue;
    add(result.expected, countRows(document));
    const contextId = (document.context as { id: string }).id;
    const read = await readContext(target, tenant, contextId);
    if (!("thread" in read)) {
      result.differences.push({ contextId, ...read });
      result.digest = digest([result.digest, read.kind]);
      continue;
    }
    const imported = importedRows(read, document);
    result.newer += imported.newer;
    add(result.found, countRows(imported.document));
    const compared = compareContext(contextId, document, imported.document, imported.newer > 0);
    result.digest = digest([result.digest, compared.digest]);
    if (compared.difference !== undefined) result.differences.push(compared.difference);
  }
  result.ok = result.differences.length === 0;
  return result;
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
