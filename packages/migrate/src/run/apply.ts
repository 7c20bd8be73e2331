import { HebraError } from "@hebra/core";
import { assertNoDrift, type MigrationPlan } from "../plan/plan.ts";
import type { Reject } from "../mapping/transform.ts";
import { openMove, type MoveSource } from "../plan/moved.ts";
import type { StoryGroup } from "../source/source.ts";
import { buildDocument } from "../story-to-thread/build-document.ts";
import type { ThreadTarget } from "../target/target.ts";
import type { RunJournal } from "./journal.ts";

/** How a plan is carried out, from the source and with the mapping that it was made of. */
export type ApplyOptions = MoveSource & ApplySettings;

/** Options of an apply besides its source. */
export interface ApplySettings {
  plan: MigrationPlan;
  target: ThreadTarget;
  /** Remembers which contexts are done, so that a run that was cut off goes on where it stood. */
  journal: RunJournal;
  /** Rows that may stay behind. One more, and nothing is written. @defaultValue 0 */
  maxRejects?: number;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/**
 * Brings one context up to date, outside a run: what the old engine has written to it since the move is added. Does
 * nothing
 * when nothing was. For the moment at which a conversation goes over to the new engine for the first time; one that
 * comes back
 * after the new engine has gone on with it takes `catchUp` of `@hebra/thread/legacy`, which adds to what is there.
 *
 * @throws HebraError `REJECTS_OVER_BUDGET` when a row has no place, before anything is written; `IMPORT_CONFLICT` when
 * the new engine has gone on with the context; what the target throws.
 */
export async function catchUp({
  group,
  target,
  tenant = "default",
}: {
  group: StoryGroup;
  target: ThreadTarget;
  tenant?: string;
}): Promise<{ changed: boolean }> {
  const { document, rejects } = buildDocument(group);
  const first = rejects[0];
  if (document === undefined || first !== undefined) {
    throw new HebraError(
      "REJECTS_OVER_BUDGET",
      `${rejects.length} rows of the context have no place in the target, the first: ${first?.entity} ${first?.id}, ${first?.path}: ${first?.detail}. Nothing was written.`,
      { details: { rejects: rejects.length } },
    );
  }
  const { changed } = await target.import(tenant, document);
  return { changed };
}

/** What a run did. */
export interface Applied {
  contexts: number;
  /** Contexts that were written now. */
  changed: number;
  /** Contexts that were there already, row for row. */
  unchanged: number;
  /** Contexts that an earlier run of the same plan had finished. */
  skipped: number;
  rejects: Reject[];
}

/**
 * Writes every context of a plan into the target, each in one transaction. Cut off anywhere and started again, it ends
 * the
 * same; done twice, it changes nothing.
 *
 * @throws HebraError `PLAN_DRIFT`, `REJECTS_OVER_BUDGET` before anything is written; `PLAN_DRIFT` also afterwards, when
 * the source changed meanwhile; `IMPORT_CONFLICT` when a context holds rows of the new engine's own; what the target
 * throws; `ABORTED`.
 */
export async function applyPlan(options: ApplyOptions): Promise<Applied> {
  const { plan, target, journal, maxRejects = 0, onProgress, signal } = options;
  const moved = openMove(options);
  await assertNoDrift(plan, { moved, target, tenant: plan.tenant });
  if (plan.rejects.count > maxRejects) {
    throw new HebraError(
      "REJECTS_OVER_BUDGET",
      `${plan.rejects.count} rows have no place in the target and ${maxRejects} may stay behind. Nothing was written. Repair the rows that the rejects file lists, or allow them with --max-rejects ${plan.rejects.count}.`,
      {
        details: { rejects: plan.rejects.count, maxRejects, ...plan.rejects.byCode },
      },
    );
  }
  const finished = await journal.finished(plan.hash);
  const inventory = await moved.inventory();
  const result: Applied = { contexts: 0, changed: 0, unchanged: 0, skipped: 0, rejects: [...inventory.rejects] };
  for await (const { document, rejects } of flat(moved.built())) {
    if (signal?.aborted === true)
      throw new HebraError("ABORTED", "The run was stopped between two contexts; start it again to go on.", {
        cause: signal.reason,
      });
    result.rejects.push(...rejects);
    if (document === undefined) continue;
    const contextId = (document.context as { id: string }).id;
    result.contexts++;
    if (finished.has(contextId)) {
      result.skipped++;
    } else {
      const imported = await target.import(plan.tenant, document);
      if (imported.changed) result.changed++;
      else result.unchanged++;
      await journal.finish(plan.hash, contextId, imported.digest);
    }
    onProgress?.(result.contexts, plan.contexts.count);
  }
  await assertNoDrift(plan, { moved, target, tenant: plan.tenant }, true);
  return result;
}

async function* flat<T>(lists: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const list of lists) yield* list;
}
