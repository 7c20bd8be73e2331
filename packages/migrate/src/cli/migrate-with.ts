import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HebraError, loadPeer } from "@hebra/core";
import type { Reject } from "../mapping/transform.ts";
import { planMigration, readPlan } from "../plan/plan.ts";
import { applyPlan } from "../run/apply.ts";
import { fileJournal } from "../run/journal.ts";
import { jsonlSource } from "../source/jsonl-source.ts";
import type { ThreadTarget } from "../target/target.ts";
import { verifyMigration } from "../verify/verify.ts";
import type { CommandName } from "./commands.ts";
import { progressLine } from "./progress-line.ts";
import type { Streams } from "./run-command.ts";

/** A command line's options, as parsed. */
export interface CliOptions {
  source?: string;
  target?: string;
  tenant?: string;
  out?: string;
  "max-rejects"?: string;
  json?: boolean;
  help?: boolean;
}

/** What a command answers: for machines and for people. */
export interface Answer {
  report: object;
  text: string;
}

/** Runs a command with its parsed options. */
export async function migrateWith(
  command: CommandName,
  options: CliOptions,
  streams: Streams,
  signal?: AbortSignal,
): Promise<Answer> {
  const source = jsonlSource(required(options, "source"));
  const path = required(options, "target");
  const tenant = options.tenant ?? "default";
  const out = options.out ?? "artifacts";
  const bar = progressLine(command, streams, options.json === true);
  try {
    switch (command) {
      case "plan": {
        const { plan, rejects } = await planMigration({
          source,
          target: { name: "sqlite" },
          tenant,
          onProgress: bar.update,
        });
        await mkdir(out, { recursive: true });
        await writeWhole(join(out, "rejects.jsonl"), jsonLines(rejects));
        await writeWhole(join(out, "plan.lock.json"), `${JSON.stringify(plan, undefined, 2)}\n`);
        return {
          report: { ok: true, ...plan },
          text: planText(plan.expected, plan.contexts.count, rejects.length, plan.hash, out),
        };
      }
      case "apply": {
        const plan = readPlan(await readJson(join(out, "plan.lock.json")));
        if (options.tenant !== undefined && options.tenant !== plan.tenant) {
          throw new HebraError(
            "PLAN_DRIFT",
            `The plan is for the tenant ${plan.tenant}, not for ${options.tenant}. Nothing was written.`,
            { details: { planned: plan.tenant, asked: options.tenant } },
          );
        }
        const maxRejects = wholeNumber(options["max-rejects"] ?? "0", "max-rejects");
        const applied = await withTarget(path, (target) =>
          applyPlan({
            plan,
            source,
            target,
            journal: fileJournal(join(out, "journal.jsonl")),
            maxRejects,
            onProgress: bar.update,
            ...(signal === undefined ? {} : { signal }),
          }),
        );
        const { rejects, ...counts } = applied;
        await writeWhole(join(out, "rejects.jsonl"), jsonLines(rejects));
        const text = `${counts.contexts} conversations: ${counts.changed} written, ${counts.unchanged + counts.skipped} there already, ${rejects.length} rows rejected. Next: hebra-migrate verify.`;
        return { report: { ok: true, plan: plan.hash, ...counts, rejects: rejects.length }, text };
      }
      case "verify": {
        // Opening makes the file, and a verification changes nothing.
        if (!existsSync(path))
          throw new HebraError("INVALID_OPTIONS", `There is no ${path}: nothing was moved there yet.`);
        const verified = await withTarget(path, (target) =>
          verifyMigration({ source, target, tenant, onProgress: bar.update }),
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
    { name: "@hebra/thread", range: "*", neededBy: "hebra-migrate" },
    () => import("@hebra/thread/store/sqlite"),
  );
  const store = await sqliteStore({ path });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function required(options: CliOptions, name: "source" | "target"): string {
  const value = options[name];
  if (value === undefined || value === "") throw new HebraError("INVALID_OPTIONS", `--${name} is missing. See --help.`);
  return value;
}

function wholeNumber(text: string, name: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new HebraError("INVALID_OPTIONS", `--${name} must be a whole number, not ${text}.`);
}

async function readJson(path: string): Promise<unknown> {
  const content = await readFile(path, "utf8").catch(() => undefined);
  if (content === undefined)
    throw new HebraError(
      "PLAN_MISSING",
      `There is no ${path}. Make a plan with \`hebra-migrate plan\`, or say where it is with --out.`,
    );
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new HebraError("PLAN_MISSING", `${path} is not JSON. Make the plan again with \`hebra-migrate plan\`.`, {
      cause: error,
    });
  }
}

/** A reader sees the old file or the new one, never half of one. */
async function writeWhole(path: string, content: string): Promise<void> {
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}

const jsonLines = (rejects: readonly Reject[]) => rejects.map((reject) => `${JSON.stringify(reject)}\n`).join("");
const countsText = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([table, rows]) => `${rows} ${table}`)
    .join(", ");

function planText(
  expected: Record<string, number>,
  contexts: number,
  rejects: number,
  hash: string,
  out: string,
): string {
  const lost =
    rejects === 0 ? "Every row has a place." : `${rejects} rows have none: see ${join(out, "rejects.jsonl")}.`;
  return [
    `${contexts} conversations will become ${countsText(expected)}.`,
    lost,
    `Pinned as ${hash.slice(0, 12)} in ${join(out, "plan.lock.json")}. Nothing was written to the target. Next: hebra-migrate apply.`,
  ].join("\n");
}
