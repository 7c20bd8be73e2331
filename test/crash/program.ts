/**
 * The process that is killed, and the one that comes after it. It is bundled and run by the harness, which hands it a
 * {@link Job} and talks with it over the channel of its fork.
 */
import { once } from "node:events";
import { localLocks } from "@hebra/lock";
import { createEngine, storeLocks, type Engine, type ThreadStore } from "@hebra/thread";
import { errorCode } from "@hebra/core";
import { takeIn } from "./conversation.ts";
import { mutants } from "./mutants.ts";
import { createPoints, type Points } from "./points.ts";
import { recorder } from "./records.ts";
import { openStore, type StoreConfig } from "./stores.ts";
import { crashThread, triggers, type TriggerId } from "./turn.ts";

/**
 * So much longer than results that are there at once lie apart, also on a machine that stalls: the number of writes is
 * always the same.
 */
const SETTLE_WINDOW_MS = 200;

/** What a process is to do. */
export type Job = {
  store: StoreConfig;
  /** Where it writes what it did. */ records: string;
  /** One lease for all processes, kept in the store, and not one in each. */ sharedLeases?: boolean;
} &
  /** Plays the turns of one thread, and ends or pauses itself at a point. */
  (
    | { run: "first"; key: string; stopAt?: string; signal?: "SIGKILL" | "SIGSTOP" }
    /** Leaves a turn that waits for a person, and one in line behind it. */
    | { run: "leave"; key: string }
    /** The person: decides about a waiting turn or cancels it, and ends itself at a point. */
    | { run: "decide"; key: string; what: "approve" | "cancel"; stopAt: string }
    /** Does nothing but look for what can go on. */
    | { run: "sweep" }
    /** Takes in what the old engine has added to a conversation, and ends itself at a point. */
    | { run: "catch-up"; rows: string; stopAt?: string }
    /**
     * Ends what was cut off. `sweep`: it finds out by itself what that is. `redeliver`: triggers that were never
     * acknowledged.
     */
    | { run: "second"; sweep: boolean; threads: { key: string; redeliver: TriggerId[] }[]; mutant?: string }
  );

/** What a process says: that approvals wait for a person, or that it has ended well. */
export type Said = { waiting: string[] } | { done: true };

/** Long for a busy machine, short for a test that waits for it. */
const LEASE_TTL_MS = 4_000;

type Record = ReturnType<typeof recorder>;

function engineOver(
  job: Job,
  store: ThreadStore,
  record: Record,
  points: Pick<Points, "reach" | "resultsWritten">,
): Engine {
  const definition = crashThread({
    resultsWritten: points.resultsWritten,
    asked: ({ contextId, executionId, iteration }, transcript) =>
      record({ event: "model", contextId, executionId, iteration, transcript }),
    effect(name, key, { contextId, callId }) {
      points.reach(`action ${name} before`);
      record({ event: "effect", name, key, contextId, callId });
      points.reach(`action ${name} after`);
    },
  });
  const locks = job.sharedLeases === true ? storeLocks(store) : localLocks();
  const said = (level: string) => (message: string, fields?: object) =>
    record({ event: "log", text: `${level}: ${message} ${JSON.stringify(fields ?? {})}` });
  const logger = { debug: () => {}, info: () => {}, warn: said("warn"), error: said("error") };
  return createEngine({
    store,
    threads: [definition],
    locks,
    logger,
    settleWindowMs: SETTLE_WINDOW_MS,
    leaseTtlMs: LEASE_TTL_MS,
    // Many processes share a store here, each with leases of its own: each recovers its own conversation alone.
    recoverEveryMs: false,
    random: () => 0,
  });
}

function pointsOf(job: { stopAt?: string; signal?: "SIGKILL" | "SIGSTOP" }, record: Record): Points {
  return createPoints({
    stopAt: job.stopAt,
    signal: job.signal ?? "SIGKILL",
    passed: (label) => void (job.stopAt === undefined && record({ event: "point", label })),
    stopped: (label) => record({ event: "stopped", label }),
    refused: (label, error) => record({ event: "refused", label, code: errorCode(error) ?? String(error) }),
  });
}

/** Takes two triggers, waits for the person, and ends both turns. */
async function first(job: Extract<Job, { run: "first" }>, opened: ThreadStore): Promise<void> {
  const record = recorder(job.records, "first");
  const points = pointsOf(job, record);
  const engine = engineOver(job, points.store(opened), record, points);
  const address = { key: job.key };
  const take = async (id: TriggerId) => {
    const turn = await engine.react("crash", { id, text: triggers[id] }, { address });
    record({ event: "acknowledged", triggerId: id });
    return turn;
  };
  try {
    const turn = await take("m1");
    turn.result.catch(() => undefined);
    const next = await take("m2");
    next.result.catch(() => undefined);
    const { approvals } = await turn.result;
    await engine.idle();
    await askPerson(approvals.map(({ id }) => id));
    await engine.resume(address);
    await engine.idle();
    await next.result;
  } catch (error) {
    // A process that was paused past its lease is refused, and says so.
    if (job.signal !== "SIGSTOP") throw error;
    record({ event: "error", code: errorCode(error) ?? String(error) });
  }
  await engine.close();
}

async function leave(job: Extract<Job, { run: "leave" }>, opened: ThreadStore): Promise<void> {
  const record = recorder(job.records, "first");
  const points = pointsOf({}, record);
  const engine = engineOver(job, points.store(opened), record, points);
  for (const id of ["m1", "m2"] as const) {
    const turn = await engine.react("crash", { id, text: triggers[id] }, { address: { key: job.key } });
    turn.result.catch(() => undefined);
  }
  await engine.idle();
  await engine.close();
}

/** What a request does that a person's answer came in by. */
async function decide(job: Extract<Job, { run: "decide" }>, opened: ThreadStore): Promise<void> {
  const record = recorder(job.records, "first");
  const points = pointsOf(job, record);
  const engine = engineOver(job, points.store(opened), record, points);
  const { execution, approvals } = (await opened.load("default", { key: job.key }))!.active!;
  if (job.what === "cancel") await engine.cancel(execution.id, { by: "ana" });
  else await engine.approve(approvals.find(({ status }) => status === "pending")!.id, { by: "ana" });
}

async function sweep(job: Extract<Job, { run: "sweep" }>, opened: ThreadStore): Promise<void> {
  const engine = engineOver(job, opened, recorder(job.records, "second"), {
    reach: () => {},
    resultsWritten: Promise.resolve(),
  });
  await engine.recover({ olderThanMs: -1, limit: 10_000 });
  await engine.idle();
  await engine.close();
}

/**
 * A fresh process that knows nothing but the store, and the deliveries that come again because nobody acknowledged
 * them.
 */
async function second(job: Extract<Job, { run: "second" }>, opened: ThreadStore): Promise<void> {
  const record = recorder(job.records, "second");
  const store = job.mutant === undefined ? opened : mutants[job.mutant]!.plant(opened);
  const engine = engineOver(job, store, record, { reach: () => {}, resultsWritten: Promise.resolve() });
  const deliver = async (key: string, id: TriggerId) => {
    try {
      const turn = await engine.react("crash", { id, text: triggers[id] }, { address: { key } });
      await turn.result;
    } catch (error) {
      record({ event: "error", code: errorCode(error) ?? String(error) });
    }
  };
  if (job.sweep) await engine.recover({ olderThanMs: -1, limit: 10_000 });
  // A lease of a process that stands still ends with its ttl: it is waited for.
  else for (const { key } of job.threads) await engine.resume({ key });
  await engine.idle();
  await Promise.all(
    job.threads.map(async ({ key, redeliver }) => {
      // What waits in line behind a waiting turn has no result yet: delivering does not mean waiting for it.
      for (const id of redeliver) await (id === "m1" ? deliver(key, id) : void deliver(key, id));
    }),
  );
  await engine.idle();

  const waiting: { key: string; approvalId: string }[] = [];
  for (const { key } of job.threads) {
    const found = await store.load("default", { key });
    for (const { id, status } of found?.active?.approvals ?? [])
      if (status === "pending") waiting.push({ key, approvalId: id });
  }
  if (waiting.length > 0) {
    await askPerson(waiting.map(({ approvalId }) => approvalId));
    for (const { key } of waiting) await engine.resume({ key });
  }
  await engine.idle();
  await Promise.all(job.threads.map(({ key }) => deliver(key, "m3")));
  await engine.idle();
  await engine.close();
}

/** The decision comes from another process, through the store. */
async function askPerson(waiting: string[]): Promise<void> {
  process.send!({ waiting } satisfies Said);
  await once(process, "message");
}

const job = JSON.parse(process.argv[2]!) as Job;
const opened = await openStore(job.store);
switch (job.run) {
  case "first":
    await first(job, opened);
    break;
  case "leave":
    await leave(job, opened);
    break;
  case "decide":
    await decide(job, opened);
    break;
  case "sweep":
    await sweep(job, opened);
    break;
  case "catch-up": {
    const points = pointsOf(job, recorder(job.records, "first"));
    await takeIn(job.rows, points.leases(points.store(opened)));
    break;
  }
  case "second":
    await second(job, opened);
}
await opened.close();
process.send!({ done: true } satisfies Said);
process.disconnect();
