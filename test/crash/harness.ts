import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
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
  /** Pauses a process at a point, lets another end its work, and wakes it. */
  pause(label: string, options: { sharedLeases: boolean }): Promise<Paused>;
  close(): Promise<void>;
}

/** What came of a process that slept while another took over. */
export interface Paused {
  label: string;
  /** Everything that is wrong with the rows. */
  violations: Violation[];
  /** The rows changed after the other process had ended the work. */
  changed: boolean;
  /** The older process's writes that the store refused, with the code. */
  refused: string[];
  /** What the older process was told in the end, if anything. */
  errors: string[];
}

/** @param program - the bundled file. */
export async function createHarness(program: string, config: StoreConfig): Promise<Harness> {
  const directory = mkdtempSync(join(tmpdir(), "hebra-crash-"));
  const store = await openStore(config);
  let files = 0;
  const decideIn = (where: ThreadStore) => async (approvalIds: string[]) => {
    for (const id of approvalIds)
      await where.decideApproval("default", id, { decision: "approved", by: "ana", at: Date.now() });
  };
  const bundleOf = async (where: ThreadStore, key: string) => {
    const found = await where.load("default", { key });
    return found === undefined ? undefined : where.export("default", found.context.id);
  };
  const newRecords = () => join(directory, `${++files}.jsonl`);

  async function enumerate(): Promise<string[]> {
    const records = newRecords();
    const ended = await start(program, { run: "first", store: config, records, key: "undisturbed" }, decideIn(store))
      .ended;
    if (!ended.done)
      throw new Error(`The undisturbed run did not end well (${ended.code ?? ended.signal}): ${ended.complaint}`);
    return readRecords(records).flatMap((line) => (line.event === "point" ? [line.label] : []));
  }

  async function killOne(label: string): Promise<Killed> {
    const key = `killed at ${label}`;
    const records = newRecords();
    const ended = await start(program, { run: "first", store: config, records, key, stopAt: label }, decideIn(store))
      .ended;
    return { key, label, ended, lines: readRecords(records), before: await bundleOf(store, key) };
  }

  async function recover(
    killed: readonly Killed[],
    options: { mutant?: string; store?: StoreConfig } = {},
  ): Promise<Report["violations"]> {
    const records = newRecords();
    const where = options.store === undefined ? store : await openStore(options.store);
    const job: Job = {
      run: "second",
      sweep: true,
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
    if (!ended.done) violations.push({ label: "recovery", ...failed(ended, later) });
    if (options.store !== undefined) await where.close();
    return violations;
  }

  async function pause(label: string, { sharedLeases }: { sharedLeases: boolean }): Promise<Paused> {
    const key = `paused at ${label}, ${sharedLeases ? "shared" : "own"} leases`;
    const records = newRecords();
    const older = start(
      program,
      { run: "first", store: config, records, key, stopAt: label, signal: "SIGSTOP", sharedLeases },
      decideIn(store),
    );
    await Promise.race([
      eventually(() => readRecords(records).some((line) => line.event === "stopped")),
      older.ended.then((ended) =>
        Promise.reject(new Error(`It was not paused at ${label}. ${failed(ended, readRecords(records)).detail}`)),
      ),
    ]);
    const before = await bundleOf(store, key);
    const lines = readRecords(records);
    const newer = newRecords();
    const job: Job = {
      run: "second",
      store: config,
      records: newer,
      sharedLeases,
      sweep: false,
      threads: [{ key, redeliver: unacknowledged(lines) }],
    };
    const ended = await start(program, job, decideIn(store)).ended;
    const done = await bundleOf(store, key);
    older.child.kill("SIGCONT");
    await older.ended;
    const after = await bundleOf(store, key);
    // What it acknowledged after it woke was stored by the other.
    const all = readRecords(records).filter(
      (line) =>
        line.event !== "acknowledged" ||
        lines.some((early) => early.event === "acknowledged" && early.triggerId === line.triggerId),
    );
    const mine = readRecords(newer);
    const violations = judge({ before, after, lines: [...all, ...mine] });
    if (!ended.done) violations.push(failed(ended, mine));
    return {
      label,
      violations,
      changed: !isDeepStrictEqual(done, after),
      refused: all.flatMap((line) => (line.event === "refused" ? [`${line.label}: ${line.code}`] : [])),
      errors: all.flatMap((line) => (line.event === "error" ? [line.code] : [])),
    };
  }

  return {
    enumerate,
    pause,
    kill: (labels) => twoAtATime(labels, killOne),
    recover,
    async close() {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Why a process was not killed at its point; nothing when it was. */
export function miss({ label, ended, lines }: Pick<Killed, "label" | "ended" | "lines">): string | undefined {
  const stopped = lines.some((line) => line.event === "stopped" && line.label === label);
  return stopped && ended.signal === "SIGKILL"
    ? undefined
    : `${label}: ended by ${ended.signal ?? ended.code}. ${ended.complaint}`;
}

function unacknowledged(lines: readonly Line[]): TriggerId[] {
  const known = new Set(lines.flatMap((line) => (line.event === "acknowledged" ? [line.triggerId] : [])));
  return (Object.keys(triggers) as TriggerId[]).filter((id) => id !== "m3" && !known.has(id));
}

/** Looks until something holds. The processes that are waited for have a time limit of their own. */
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function failed(ended: Ended, lines: readonly Line[]): Violation {
  const logged = lines.flatMap((line) =>
    line.event === "log" ? [line.text] : line.event === "error" ? [line.code] : [],
  );
  return {
    rule: "recovery-failed",
    detail: [`${ended.code ?? ended.signal}: ${ended.complaint}`, ...logged].join("\n"),
  };
}
