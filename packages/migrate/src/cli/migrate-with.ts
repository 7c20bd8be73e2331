import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { required, wholeNumber, type Call, type Report } from "@hebra/cli-kit";
import { HebraError, loadPeer } from "@hebra/core";
import { assertMoves } from "../plan/empty.ts";
import { planMigration, readPlan, type MigrationPlan } from "../plan/plan.ts";
import { applyPlan } from "../run/apply.ts";
import { fileJournal } from "../run/journal.ts";
import { sourceOf } from "./source-of.ts";
import type { ThreadTarget } from "../target/target.ts";
import { verifyMigration } from "../verify/verify.ts";

/** A command of the three. */
export type CommandName = "plan" | "apply" | "verify";

/** The options, as parsed. */
export interface CliOptions {
  readonly source?: string;
  readonly mapping?: string;
  readonly target?: string;
  readonly tenant?: string;
  readonly out?: string;
  readonly "max-rejects"?: string;
  readonly json?: boolean;
}

/** Runs a command with its parsed options. */
export async function migrateWith(
  command: CommandName,
  { name, options, output, io: { signal } }: Call<CliOptions>,
): Promise<Report> {
  const move = await sourceOf(required("source", options.source), options.mapping);
  const path = required("target", options.target);
  /** A sibling command, as it is typed. */
  const sibling = (word: CommandName) => name.replace(/\S+$/, word);
  const tenant = options.tenant ?? "default";
  const out = options.out ?? "artifacts";
  const bar = output.progress(command, options.json === true);
  try {
    switch (command) {
      case "plan": {
        const planned = await planMigration({
          ...move,
          target: { name: "sqlite" },
          tenant,
          onProgress: bar.update,
        });
        const { plan, rejects, notes } = planned;
        await mkdir(out, { recursive: true });
        await writeWhole(join(out, "rejects.jsonl"), jsonLines(rejects));
        await writeWhole(join(out, "notes.jsonl"), jsonLines(notes));
        assertMoves(planned, join(out, "rejects.jsonl"));
        await writeWhole(join(out, "plan.lock.json"), `${JSON.stringify(plan, undefined, 2)}\n`);
        return {
          report: { ok: true, ...plan },
          text: planText(plan, out, sibling("apply")),
        };
      }
      case "apply": {
        const plan = readPlan(await readJson(join(out, "plan.lock.json"), sibling("plan")));
        if (options.tenant !== undefined && options.tenant !== plan.tenant) {
          throw new HebraError(
            "PLAN_DRIFT",
            `The plan is for the tenant ${plan.tenant}, not for ${options.tenant}. Nothing was written.`,
            { details: { planned: plan.tenant, asked: options.tenant } },
          );
        }
        const maxRejects = wholeNumber("max-rejects", options["max-rejects"], 0);
        const applied = await withTarget(path, (target) =>
          applyPlan({
            ...move,
            plan,
            target,
            journal: fileJournal(join(out, "journal.jsonl")),
            maxRejects,
            onProgress: bar.update,
            signal,
          }),
        );
        const { rejects, ...counts } = applied;
        await writeWhole(join(out, "rejects.jsonl"), jsonLines(rejects));
        const text = `${counts.contexts} conversations: ${counts.changed} written, ${counts.unchanged + counts.skipped} there already, ${rejects.length} rows rejected. Next: ${sibling("verify")}.`;
        return { report: { ok: true, plan: plan.hash, ...counts, rejects: rejects.length }, text };
      }
      case "verify": {
        // Opening makes the file, and a verification changes nothing.
        if (!existsSync(path))
          throw new HebraError("INVALID_OPTIONS", `There is no ${path}: nothing was moved there yet.`);
        const verified = await withTarget(path, (target) =>
          verifyMigration({ ...move, target, tenant, onProgress: bar.update }),
        );
        const first = verified.differences[0];
        if (first !== undefined) {
          const where = [first.table, first.rowId, first.field].filter((part) => part !== undefined).join(" ");
          throw new HebraError(
            "VERIFY_MISMATCH",
            `${verified.differences.length} of ${verified.contexts} conversations differ from what the source calls for. The first: context ${first.contextId}, ${first.kind} ${where}.`,
            {
              details: {
                differences: JSON.parse(JSON.stringify(verified.differences.slice(0, 20))) as never,
                expected: verified.expected,
                found: verified.found,
                digest: verified.digest,
              },
            },
          );
        }
        return {
          report: verified,
          text: `${verified.contexts} conversations are as the source calls for: ${countsText(verified.found)}. Their digest is ${verified.digest.slice(0, 12)}.`,
        };
      }
    }
  } finally {
    bar.end();
  }
}

async function withTarget<T>(path: string, work: (target: ThreadTarget) => Promise<T>): Promise<T> {
  const { sqliteStore } = await loadPeer(
    { name: "@hebra/thread", range: "*", neededBy: "hebra migrate" },
    () => import("@hebra/thread/store/sqlite"),
  );
  const store = await sqliteStore({ path });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function readJson(path: string, planWith: string): Promise<unknown> {
  const content = await readFile(path, "utf8").catch(() => undefined);
  if (content === undefined)
    throw new HebraError(
      "PLAN_MISSING",
      `There is no ${path}. Make a plan with \`${planWith}\`, or say where it is with --out.`,
    );
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new HebraError("PLAN_MISSING", `${path} is not JSON. Make the plan again with \`${planWith}\`.`, {
      cause: error,
    });
  }
}

/** A reader sees the old file or the new one, never half of one. */
async function writeWhole(path: string, content: string): Promise<void> {
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}

const jsonLines = (lines: readonly object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join("");
const countsText = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([table, rows]) => `${rows} ${table}`)
    .join(", ");

function planText({ expected, contexts, rejects, notes, hash }: MigrationPlan, out: string, next: string): string {
  const lost =
    rejects.count === 0
      ? "Every row has a place."
      : `${rejects.count} rows have none: see ${join(out, "rejects.jsonl")}.`;
  const repaired = notes.count === 0 ? [] : [`${notes.count} texts are repaired: see ${join(out, "notes.jsonl")}.`];
  return [
    `${contexts.count} conversations will become ${countsText(expected)}.`,
    lost,
    ...repaired,
    `Pinned as ${hash.slice(0, 12)} in ${join(out, "plan.lock.json")}. Nothing was written to the target. Next: ${next}.`,
  ].join("\n");
}
