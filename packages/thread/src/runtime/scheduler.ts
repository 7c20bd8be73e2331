import { errorCode, errorMessage, HebraError, parseOptions, sleep } from "@hebra/core";
import { createLeader, type Leadership } from "@hebra/lock";
import * as z from "zod";
import type { ChannelMessage } from "./channel.ts";
import { parseCron } from "./cron.ts";
import { storeJobMemory } from "./job-memory.ts";
import { asJson, type ReplyTo } from "./payloads.ts";
import type { RuntimeServices } from "./services.ts";

/** Something that happens again and again: a message to a conversation. */
export interface Job {
  /** Stable: with the time that a run is scheduled for, it is the run's id. */
  id: string;
  /** Five fields of cron. Either this or `everyMs`. */
  cron?: string;
  /** A heartbeat: at every multiple of so many milliseconds since the epoch. */
  everyMs?: number;
  /** An IANA time zone, for `cron`. @defaultValue "UTC" */
  timeZone?: string;
  /**
   * What becomes of runs whose time passed while nobody led: none is made up for, the last one is, or all are, oldest
   * first
   * and at most 100.
   *
   * @defaultValue "once"
   */
  missed?: "skip" | "once" | "all";
  /** The conversation, and what is said in it. `replyTo` sends the answer through a channel. */
  message: Omit<ChannelMessage, "id" | "chat" | "session"> & {
    session: string;
    replyTo?: { gatewayId: string; channel: string; chat: string };
  };
}

/** What is scheduled. */
export interface SchedulerOptions {
  jobs: readonly Job[];
  /** Schedulers of one name elect one leader. @defaultValue "scheduler" */
  name?: string;
  /** Milliseconds within which another takes over from a leader that died. @defaultValue 30 000 */
  ttlMs?: number;
}

/** A candidate for the leadership of a schedule. */
export interface Scheduler {
  /** The epoch while this process leads. */
  readonly epoch: number | undefined;
  stop(): Promise<void>;
}

const job = z
  .strictObject({
    id: z.string().regex(/^[^:\s]{1,200}$/, "must be 1 to 200 characters without a colon or white space"),
    cron: z.string().optional(),
    everyMs: z.number().int().min(1_000).optional(),
    timeZone: z.string().optional(),
    missed: z.enum(["skip", "once", "all"]).default("once"),
    message: z.looseObject({ session: z.string().min(1) }),
  })
  .refine(({ cron, everyMs }) => (cron === undefined) !== (everyMs === undefined), {
    message: "exactly one of `cron` and `everyMs` is needed",
  });
const schema = z.strictObject({
  jobs: z.array(job),
  name: z.string().min(1).default("scheduler"),
  ttlMs: z.number().min(100).default(30_000),
});

/** Runs of one job that are made up for at most. */
const MAX_MISSED = 100;
const RETRY_MS = 1_000;
/** Looked at again at least so often, so that a clock that was set is noticed. */
const MAX_SLEEP_MS = 60_000;

/** @throws HebraError `INVALID_OPTIONS` */
export function startScheduler(services: RuntimeServices, options: SchedulerOptions): Scheduler {
  const { bus, store, locks, clock, logger, metrics } = services;
  const { name, ttlMs } = parseOptions("scheduler", schema, options);
  if (new Set(options.jobs.map(({ id }) => id)).size < options.jobs.length)
    throw new HebraError("INVALID_OPTIONS", "scheduler: two jobs have one id. Give each its own.");
  const plans = options.jobs.map((each) => ({ job: each, next: nextOf(each) }));
  const memory = storeJobMemory(store, name, () => clock.now());

  async function lead({ epoch, signal }: Leadership): Promise<void> {
    metrics.leading(name, true);
    try {
      await services.phase.begin();
      const lastRuns = await memory.open(epoch);
      const startedAt = clock.now();
      // A job that is new here begins now: nothing before it was missed.
      for (const { job } of plans) if (!lastRuns.has(job.id)) lastRuns.set(job.id, startedAt);
      await memory.record(epoch, lastRuns);
      while (!signal.aborted) {
        const wakeAt = await runDue(epoch, signal, lastRuns, startedAt);
        await sleep(clock, Math.min(MAX_SLEEP_MS, Math.max(1, wakeAt - clock.now())), signal).catch(() => undefined);
      }
    } finally {
      metrics.leading(name, false);
    }
  }

  /** Publishes what is due. @returns when to look again */
  async function runDue(
    epoch: number,
    signal: AbortSignal,
    lastRuns: Map<string, number>,
    startedAt: number,
  ): Promise<number> {
    const now = clock.now();
    // A run is an intake as well: whoever leads when it is open again makes up for it.
    if (services.phase.phase() !== "open") return now + RETRY_MS;
    let wakeAt = Infinity;
    for (const { job, next } of plans) {
      const due: number[] = [];
      let at = next(lastRuns.get(job.id)!);
      for (; at !== undefined && at <= now; at = next(at)) {
        due.push(at);
        if (due.length > MAX_MISSED) due.shift();
      }
      const last = due.at(-1);
      // Before this leadership: nobody led when its time came, or the leader did not live to see to it.
      const missed = due.filter((time) => time < startedAt);
      const onTime = due.slice(missed.length);
      const { missed: policy = "once" } = job;
      const runs = [...(policy === "all" ? missed : policy === "once" ? missed.slice(-1) : []), ...onTime];
      if (runs.length < due.length) metrics.scheduled("missed");
      for (const scheduledFor of runs) {
        if (signal.aborted) return now;
        try {
          await publish(job, scheduledFor, epoch);
        } catch (error) {
          logger.warn("A scheduled run could not be published and is tried again.", {
            job: job.id,
            scheduledFor,
            error: errorMessage(error),
          });
          metrics.scheduled("failed");
          return now + RETRY_MS;
        }
      }
      if (last !== undefined) {
        lastRuns.set(job.id, last);
        await memory.record(epoch, lastRuns);
      }
      if (at !== undefined) wakeAt = Math.min(wakeAt, at);
    }
    return wakeAt;
  }

  /** The run's id makes a second publication of it a no-op: on the bus for a while, in the thread for ever. */
  async function publish({ id, message }: Job, scheduledFor: number, epoch: number): Promise<void> {
    const runId = `${id}:${scheduledFor}`;
    const { replyTo: target, session, tenant = "default", ...content } = message;
    const replyTo: ReplyTo = {
      gatewayId: target?.gatewayId ?? "none",
      channel: target?.channel ?? "schedule",
      chat: target?.chat ?? session,
      inReplyTo: runId,
      deltas: false,
    };
    const said = {
      ...content,
      id: runId,
      runId,
      chat: replyTo.chat,
      metadata: { ...content.metadata, job: id, scheduledFor },
    };
    const [receipt] = await bus.publishInbound({
      tenant,
      session,
      id: `schedule:${runId}`,
      payload: asJson({
        kind: "message",
        message: said,
        replyTo: target === undefined ? { ...replyTo, silent: true } : replyTo,
      }),
    });
    if (receipt!.status === "full")
      throw new HebraError("BACKLOG_FULL", `The conversation ${session} has as many messages waiting as it may.`);
    metrics.scheduled(receipt!.status);
    logger.debug("A scheduled run was published.", { runId, epoch, status: receipt!.status });
  }

  const leader = createLeader(name, {
    locks,
    lead,
    ttlMs,
    clock,
    onError: (error) =>
      logger.warn("A leader of the schedule gave up; another stands.", {
        name,
        code: errorCode(error) ?? null,
        error: errorMessage(error),
      }),
  });
  return {
    get epoch() {
      return leader.epoch;
    },
    stop: () => leader.close(),
  };
}

/** The first time after another at which a job is to run. */
function nextOf({ cron, everyMs, timeZone }: Job): (after: number) => number | undefined {
  if (cron !== undefined) {
    const parsed = parseCron(cron, timeZone);
    return (after) => parsed.next(after);
  }
  return (after) => (Math.floor(after / everyMs!) + 1) * everyMs!;
}
