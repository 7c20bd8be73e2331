import { setTimeout as wait } from "node:timers/promises";
import { now, type AttemptLine, type LogLine } from "./records.ts";
import type { WorkerProcess } from "./processes.ts";
import type { Stage } from "./stage.ts";

/** What a fault has seen: figures that the run is held to, and a line for people. */
export interface FaultReport {
  note: string;
  /** Must be 0, by the name of the bar. */
  none?: Record<string, number>;
  /** Must be at least 1, by the name of the bar. */
  some?: Record<string, number>;
  /** Should be 0, and may not be on a machine that starves its processes; by the name of the bar. */
  few?: Record<string, number>;
  /** Milliseconds until all was well again, and at most how many, by the name of the bar. */
  within?: Record<string, readonly [number, number]>;
}

/** Milliseconds that a fault waits for its moment before the run goes on without it. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 25;
/** Milliseconds that the store has to answer a late write. */
const ANSWER_MS = 2_000;
/** Milliseconds that what was taken before may still begin. */
const GRACE_MS = 2_000;

/** Waits for a moment that comes by itself. @returns what was waited for, or `undefined` when it did not come */
export async function moment<T>(
  look: () => T | undefined | Promise<T | undefined>,
  patienceMs = PATIENCE_MS,
): Promise<T | undefined> {
  for (const until = now() + patienceMs; now() < until; await wait(LOOK_MS)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Attempts that have begun and not ended. */
export function open(log: readonly LogLine[], pid: number): AttemptLine[] {
  const ended = new Set(log.flatMap((line) => (line.event === "end" ? [line.attempt] : [])));
  return log.filter(
    (line): line is AttemptLine => line.event === "start" && line.pid === pid && !ended.has(line.attempt),
  );
}

/** Waits until a worker is in the middle of so many turns. */
export const inMidTurn = (stage: Stage, { pid }: WorkerProcess, turns = 1) =>
  moment(() => (open(stage.log(), pid).length >= turns ? true : undefined));

/** SIGKILL while turns are under way; another worker is started in its place. */
export async function killWorker(stage: Stage, turns?: number): Promise<FaultReport> {
  const worker = stage.workers.shift()!;
  await inMidTurn(stage, worker, turns);
  await worker.kill();
  const cut = open(stage.log(), worker.pid).length;
  stage.workers.push(await stage.startWorker());
  return { note: `${cut} turns cut off`, some: { "turns-cut-off": cut } };
}

/**
 * How often a worker is stopped until one of its late writes is refused: it may also hear first that it has lost its
 * turns.
 */
const PAUSES = 5;

/** SIGSTOP while turns are under way, until others have taken them over; then it goes on, and must be refused. */
export async function pauseWorker(stage: Stage, turns?: number, atMost = PAUSES): Promise<FaultReport> {
  const worker = stage.workers[0]!;
  let [takenOver, refused, pauses] = [0, 0, 0];
  for (; pauses < atMost && refused === 0; pauses++) {
    await inMidTurn(stage, worker, turns);
    worker.pause();
    const pausedAt = now();
    const since = () => stage.log().filter(({ at }) => at > pausedAt);
    const held = new Set(open(stage.log(), worker.pid).map(({ nonce }) => nonce));
    const taken = () =>
      new Set(
        since().flatMap((line) =>
          line.event === "start" && line.pid !== worker.pid && held.has(line.nonce) ? [line.nonce] : [],
        ),
      ).size;
    await moment(() => (taken() >= Math.min(2, held.size) ? true : undefined));
    takenOver += taken();
    worker.resume();
    await moment(() => (since().some(({ event, pid }) => event === "awake" && pid === worker.pid) ? true : undefined));
    const refusals = () => since().filter(({ event, pid }) => event === "refused" && pid === worker.pid).length;
    await moment(() => (refusals() > 0 ? true : undefined), ANSWER_MS);
    refused += refusals();
  }
  return {
    note: `stopped ${pauses === 1 ? "once" : `${pauses} times`}, ${takenOver} turns taken over by then, ${refused} writes refused`,
    some: { "turns-taken-over": takenOver, "writes-fenced-off": refused },
  };
}

/** Ends Redis as a crash does and starts it again. While it is away nobody is ready, and nobody begins anything. */
export async function stopRedis(stage: Stage, awayMs: number): Promise<FaultReport> {
  const { redis, workers, runtime } = stage;
  await inMidTurn(stage, workers[0]!);
  // A crash must take nothing that was acknowledged: each write is on the disk before its answer.
  await redis.admin.config("SET", "appendfsync", "always");
  await redis.kill();
  const goneAt = now();
  const graceMs = Math.min(GRACE_MS, awayMs / 2);
  // A process learns of it by a call that fails, at the latest by its next look.
  const unready = await moment(async () => {
    const answers = await Promise.all([
      runtime.health().then(({ ready, checks }) => ({ ready, bus: checks.bus.detail })),
      ...workers.map((worker) => worker.ready()),
    ]);
    return answers.every(({ ready, bus }) => !ready && bus === "unreachable") ? answers.length : undefined;
  });
  await wait(Math.max(0, goneAt + awayMs - now()));
  const stillUnready = (await Promise.all(workers.map((worker) => worker.ready()))).filter(
    ({ ready }) => !ready,
  ).length;
  const backAt = now();
  const begun = stage.log().filter(({ event, at }) => event === "start" && at > goneAt + graceMs && at < backAt).length;
  await redis.restart();
  const ready = await moment(async () => {
    const answers = await Promise.all([stage.runtime.health(), ...workers.map((worker) => worker.ready())]);
    return answers.every((answer) => answer.ready) ? true : undefined;
  });
  return {
    note: `away for ${Math.round(backAt - goneAt)} ms, ${begun} turns begun meanwhile, ready again ${ready === undefined ? "never" : `after ${Math.round(now() - backAt)} ms`}`,
    none: {
      "ready-without-redis": unready === undefined ? 1 : workers.length - stillUnready,
      "begun-without-redis": begun,
      "not-ready-again": ready === undefined ? 1 : 0,
    },
  };
}

/** Ten times CLIENT KILL of every connection but the one that says so. */
export async function killConnections({ redis }: Stage): Promise<FaultReport> {
  let killed = 0;
  for (let n = 0; n < 10; n++) {
    await wait(100);
    for (const type of ["normal", "pubsub"])
      killed += Number(await redis.admin.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes"));
  }
  return { note: `${killed} connections killed`, some: { "connections-killed": killed } };
}

/** Ten times SCRIPT FLUSH. */
export async function flushScripts({ redis }: Stage): Promise<FaultReport> {
  for (let n = 0; n < 10; n++) {
    await wait(100);
    await redis.admin.call("SCRIPT", "FLUSH");
  }
  return { note: "10 flushes" };
}
