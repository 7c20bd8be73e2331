import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContextBundle, ThreadStore } from "@hebra/thread";
import { judge, type Violation } from "./judge.ts";
import type { Job } from "./program.ts";
import { start, twoAtATime, type Ended } from "./processes.ts";
import { readRecords, type Line } from "./records.ts";
import { openStore, type StoreConfig } from "./stores.ts";
import { triggers, type TriggerId } from "./turn.ts";

/** A thread whose process was killed. */
export interface Killed {
  key: string;
  label: string;
  /** How its process ended. */
  ended: Ended;
  lines: Line[];
  before: ContextBundle | undefined;
}

/** What came of a whole run. */
export interface Report {
  /** The write points, in the order in which an undisturbed run passes them. */
  points: string[];
  /** Those at which a process was in fact killed. */
  hit: string[];
  /** By write point. */
  violations: { label: string; rule: string; detail: string }[];
}

export interface Harness {
  /** Plays the turns without a fault. @returns the write points */
  enumerate(): Promise<string[]>;
  /** Kills one process at each point, two processes at a time. */
  kill(labels: readonly string[]): Promise<Killed[]>;
  /** Starts one process that recovers them all, and judges. @returns violations by label */
  recover(killed: readonly Killed[], options?: { mutant?: string; store?: StoreConfig }): Promise<Report["violations"]>;
  close(): Promise<void>;
}

/** @param program - the bundled file. */
export async function createHarness(program: string, config: StoreConfig): Promise<Harness> {
  const directory = mkdtempSync(join(tmpdir(), "hebra-crash-"));
  const store = await openStore(config);
  let files = 0;
  const decideIn = (where: ThreadStore) => async (approvalIds: string[]) => {
    for (const id of approvalIds) await where.decideApproval("default", id, { decision: "approved", by: "ana", at: Date.now() });
  };
  const bundleOf = async (where: ThreadStore, key: string) => {
    const found = await where.load("default", { key });
    return found === undefined ? undefined : where.export("default", found.context.id);
  };
  const newRecords = () => join(directory, `${++files}.jsonl`);

  async function enumerate(): Promise<string[]> {
    const records = newRecords();
    const ended = await start(program, { run: "first", store: config, records, key: "undisturbed" }, decideIn(store)).ended;
    if (!ended.done) throw new Error(`The undisturbed run did not end well (${ended.code ?? ended.signal}): ${ended.complaint}`);
    return readRecords(records).flatMap((line) => (line.event === "point" ? [line.label] : []));
  }

  async function killOne(label: string): Promise<Killed> {
    const key = `killed at ${label}`;
    const records = newRecords();
    const ended = await start(program, { run: "first", store: config, records, key, stopAt: label }, decideIn(store)).ended;
    return { key, label, ended, lines: readRecords(records), before: await bundleOf(store, key) };
  }

  async function recover(killed: readonly Killed[], options: { mutant?: string; store?: StoreConfig } = {}): Promise<Report["violations"]> {
    const records = newRecords();
    const where = options.store === undefined ? store : await openStore(options.store);
    const job: Job = {
      run: "second",
      store: options.store ?? config,
      records,
      threads: killed.map(({ key, lines }) => ({ key, redeliver: unacknowledged(lines) })),
      ...(options.mutant === undefined ? {} : { mutant: options.mutant }),
    };
    const ended = await start(program, job, decideIn(where)).ended;
    const later = readRecords(records);
    const violations: Report["violations"] = [];
    for (const { key, label, lines, before } of killed) {
      const after = await bundleOf(where, key);
      const mine = later.filter((line) => "contextId" in line && line.contextId === after?.context.id);
      const found: Violation[] = judge({ before, after, lines: [...lines, ...mine] });
      violations.push(...found.map((violation) => ({ label, ...violation })));
    }
    if (!ended.done) violations.push({ label: "recovery", rule: "recovery-failed", detail: `${ended.code ?? ended.signal}: ${ended.complaint}` });
    if (options.store !== undefined) await where.close();
    return violations;
  }

  return {
    enumerate,
    kill: (labels) => twoAtATime(labels, killOne),
    recover,
    async close() {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Why a process was not killed at its point; nothing when it was. */
export function miss({ label, ended, lines }: Killed): string | undefined {
  const stopped = lines.some((line) => line.event === "stopped" && line.label === label);
  return stopped && ended.signal === "SIGKILL" ? undefined : `${label}: ended by ${ended.signal ?? ended.code}. ${ended.complaint}`;
}

function unacknowledged(lines: readonly Line[]): TriggerId[] {
  const known = new Set(lines.flatMap((line) => (line.event === "acknowledged" ? [line.triggerId] : [])));
  return (Object.keys(triggers) as TriggerId[]).filter((id) => id !== "m3" && !known.has(id));
}
