import { digest, HebraError, type JsonObject, type JsonValue } from "@hebra/core";
import type { Note } from "../mapping/clean-row.ts";
import type { Reject } from "../mapping/transform.ts";
import type { SourceInventory } from "../source/source.ts";
import type { ContextDocument } from "../target/target.ts";
import { openMove, type Moved, type MoveSource } from "./moved.ts";

/** What a migration will do, pinned: it can be read, approved and compared before anything is touched. */
export interface MigrationPlan {
  v: 1;
  tenant: string;
  source: { entities: SourceInventory["entities"] };
  mapping: { name: string; version: number; hash: string };
  target: { name: string };
  /** Rows that the target will hold afterwards, by table. */
  expected: Record<string, number>;
  /** Each context's digest, in the order in which they are written, rolled into one. */
  contexts: { count: number; digest: string };
  rejects: { count: number; byCode: Record<string, number> };
  /** Repairs in rows that are moved. */
  notes: { count: number; byCode: Record<string, number> };
  /** The digest of everything above: what an approval is for, and what apply compares. */
  hash: string;
}

/** A plan, the rows that it leaves behind, and what it repairs in the others. */
export interface Planned {
  plan: MigrationPlan;
  rejects: Reject[];
  notes: Note[];
}

/** How a plan is made: from the old engine's rows, or with a `mapping` from your own tables. */
export type PlanOptions = MoveSource & PlanSettings;

/** Options of a plan besides its source. */
export interface PlanSettings {
  target: { name: string };
  /** @defaultValue "default" */
  tenant?: string;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Reads the whole source, maps it in memory, context by context, and writes nothing.
 *
 * @throws HebraError `SOURCE_INVALID`
 */
export async function planMigration(options: PlanOptions): Promise<Planned> {
  const { target, tenant = "default", onProgress } = options;
  const moved = openMove(options);
  const inventory = await moved.inventory();
  const rejects: Reject[] = [...inventory.rejects];
  const notes: Note[] = [...inventory.notes];
  const expected: Record<string, number> = {
    threads: 0,
    contexts: 0,
    items: 0,
    executions: 0,
    steps: 0,
    parts: 0,
    calls: 0,
  };
  let rolled = "";
  let count = 0;
  let done = 0;
  for await (const lines of moved.built()) {
    onProgress?.(++done, inventory.contexts);
    for (const built of lines) {
      rejects.push(...built.rejects);
      notes.push(...built.notes);
      if (built.document === undefined) continue;
      for (const [table, rows] of Object.entries(countRows(built.document)))
        expected[table] = (expected[table] ?? 0) + rows;
      rolled = digest([rolled, documentDigest(built.document)]);
      count++;
    }
  }
  const body = {
    v: 1 as const,
    tenant,
    source: { entities: inventory.entities },
    mapping: moved.mapping,
    target: { name: target.name },
    expected,
    contexts: { count, digest: rolled },
    rejects: { count: rejects.length, byCode: countCodes(rejects) },
    notes: { count: notes.length, byCode: countCodes(notes) },
  };
  return { plan: { ...body, hash: planHash(body) }, rejects, notes };
}

/**
 * Reads a plan from a file's content. @throws HebraError `PLAN_MISSING` when it is none, `PLAN_DRIFT` when it was
 * changed by hand.
 */
export function readPlan(content: unknown): MigrationPlan {
  const plan = content as MigrationPlan | undefined;
  if (typeof plan !== "object" || plan === null || plan.v !== 1 || typeof plan.hash !== "string") {
    throw new HebraError("PLAN_MISSING", "There is no plan. Make one with `hebra migrate plan`.");
  }
  const { hash, ...body } = plan;
  if (planHash(body) !== hash)
    throw new HebraError(
      "PLAN_DRIFT",
      "The plan does not have the content that its hash stands for. Make it again with `hebra migrate plan`.",
      { details: { hash } },
    );
  return plan;
}

/**
 * Checks that what a plan was made of is still the same.
 *
 * @param written - whether contexts were written already, for the message.
 * @throws HebraError `PLAN_DRIFT` naming what moved.
 */
export async function assertNoDrift(
  plan: MigrationPlan,
  options: { moved: Moved; target: { name: string }; tenant: string },
  written = false,
): Promise<void> {
  const { entities } = await options.moved.inventory();
  const moved = [
    ...plan.source.entities
      .filter((planned) => entities.find(({ entity }) => entity === planned.entity)?.sha256 !== planned.sha256)
      .map(({ entity }) => `the rows of ${entity}`),
    ...(plan.mapping.hash === options.moved.mapping.hash ? [] : ["the mapping"]),
    ...(plan.target.name === options.target.name
      ? []
      : [`the target (planned for ${plan.target.name}, now ${options.target.name})`]),
    ...(plan.tenant === options.tenant ? [] : [`the tenant (planned for ${plan.tenant}, now ${options.tenant})`]),
  ];
  if (moved.length === 0) return;
  const what = `${moved.join(" and ")} changed`;
  const message = written
    ? `While the plan was carried out, ${what}. What was written is of the rows as they were before; make a new plan and apply that one too.`
    : `Since the plan was made, ${what}. Nothing was written. Make a new plan and compare.`;
  throw new HebraError("PLAN_DRIFT", message, { details: { moved, hash: plan.hash } });
}

/** Rows of one context by table. */
export function countRows(document: ContextDocument): Record<string, number> {
  const { thread, context, items, executions, steps, parts, calls } = document;
  return {
    // The main line stands for the thread that it shares with the others.
    threads: (thread as { mainContextId?: string }).mainContextId === (context as { id?: string }).id ? 1 : 0,
    contexts: 1,
    items: items.length,
    executions: executions.length,
    steps: steps.length,
    parts: parts.length,
    calls: calls.length,
  };
}

/** A digest of one context as it is mapped. */
export function documentDigest(document: ContextDocument): string {
  return digest(document as unknown as JsonValue);
}

const planHash = (body: object): string => digest(body as JsonObject);

function countCodes(rejects: readonly { code: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of rejects) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}
