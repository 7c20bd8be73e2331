import {
  anySignal,
  errorCode,
  errorMessage,
  HebraError,
  withFields,
  type Clock,
  type JsonValue,
  type Logger,
} from "@hebra/core";
import type { Lease, LockManager } from "@hebra/lock";
import type { Reactor } from "@hebra/reactor";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import type { ExecutionRow } from "../../store/rows.ts";
import { assertTransition, executionStates } from "../../store/states.ts";
import type { QueuedExecution, Snapshot, ThreadStore } from "../../store/store.ts";
import { logFieldsOf } from "../../telemetry/attributes.ts";
import type { EngineTelemetry } from "../../telemetry/engine-telemetry.ts";
import { compact } from "../prompt/compact.ts";
import { createEventWriter } from "../rows/event-writer.ts";
import { hasNews, isInboxConflict } from "../turn/inbox.ts";
import { resumeWork, timeWaited } from "./resume.ts";
import { startExecution } from "../rows/start.ts";
import { currentState } from "../rows/state.ts";
import type { LocalTurns } from "./local-turns.ts";
import { turnResult } from "../rows/turn-result.ts";
import { initialTurn } from "../turn/turn-state.ts";
import { earliestExpiry, type TurnRows } from "../rows/recorder.ts";
import { runTurn, type TurnEnd, type TurnWork } from "../turn/turn.ts";

/** What the driver needs of the engine. */
export interface DriverOptions {
  store: ThreadStore;
  locks: LockManager;
  clock: Clock;
  random: () => number;
  logger: Logger;
  telemetry: EngineTelemetry;
  turns: LocalTurns;
  historyItems: number;
  settleWindowMs: number;
  maxAttempts: number;
  readFile: ((url: string) => Promise<string>) | undefined;
  leaseTtlMs: number;
  definition(name: string): AnyThreadDefinition | undefined;
  reactor(definition: AnyThreadDefinition): Reactor | Promise<Reactor>;
  /** What an ended turn sends. */
  outgoing?: ((target: DriveTarget, rows: TurnRows) => readonly JsonValue[]) | undefined;
  /** Says that a thread has work, for others to take it; without it this process waits for the lease itself. */
  wake?: ((target: DriveTarget) => void) | undefined;
  /** Aborts when the engine is closed. */
  closed: AbortSignal;
}

/** One line of history to be driven on. */
export interface DriveTarget {
  tenant: string;
  threadKey: string;
  contextId: string;
  lockKey: string;
}

/** A turn that has begun under a lease and now runs. */
export type StartedWork = Omit<TurnWork, "signal" | "fence">;

/** Runs what there is to run in a context, in order, under the thread's lease. */
export interface Driver {
  /** Whether this process drives the context or waits for its lease. */
  isDriving(target: DriveTarget): boolean;
  /** Takes over a lease and, when given, a turn that was begun under it. */
  drive(target: DriveTarget, lease: Lease, started?: StartedWork): void;
  /** Sees to it that what is queued, orphaned or decided will run: waits for the lease if need be. */
  kick(target: DriveTarget): void;
  /** As `kick`, by whoever is there to do the work: this process only where nobody else is. */
  wake(target: DriveTarget): void;
  /** Resolves when nothing is driven in this process. */
  idle(): Promise<void>;
}

export function createDriver(options: DriverOptions): Driver {
  const { store, locks, turns, clock, logger, telemetry, closed } = options;
  const drives = new Map<string, { again: boolean; done: Promise<void> }>();
  const running = new Set<Promise<void>>();
  const idOf = ({ tenant, contextId }: DriveTarget) => `${tenant}/${contextId}`;

  function launch(target: DriveTarget, acquire: () => Promise<Lease>, started?: StartedWork): void {
    const id = idOf(target);
    const drive = { again: false, done: Promise.resolve() };
    drives.set(id, drive);
    drive.done = (async () => {
      let first = started;
      let told = false;
      try {
        do {
          drive.again = false;
          const lease = await acquire();
          try {
            await drain(target, lease, first);
            told = false;
          } catch (error) {
            // Once in a row: locks that do not heed it would be asked for ever.
            if (told || !(await seeded(target, lease, error))) throw error;
            telemetry.failed(error);
            told = drive.again = true;
          } finally {
            await lease
              .release()
              .catch((error: unknown) =>
                logger.warn("A lease could not be released; it will expire.", { error: errorMessage(error) }),
              );
          }
          first = undefined;
          acquire = () =>
            locks.acquire(target.lockKey, { ttlMs: options.leaseTtlMs, waitMs: Infinity, signal: closed });
        } while (drive.again && !closed.aborted);
      } catch (error) {
        telemetry.failed(error);
        if (!closed.aborted)
          logger.error("A thread could not be driven on; a sweep will find it.", {
            code: errorCode(error) ?? null,
            error: errorMessage(error),
            contextId: target.contextId,
          });
      } finally {
        // Synchronous with the decision to stop, so that a later kick starts anew. A lease that was passed in may have
        // begun a newer drive.
        if (drives.get(id) === drive) drives.delete(id);
      }
    })();
    running.add(drive.done);
    void drive.done.then(() => running.delete(drive.done));
  }

  /**
   * Whether the store knows a newer fence than a lease's: the locks have lost their count, or another holds it. They
   * are told, and asked again.
   */
  async function seeded({ lockKey }: DriveTarget, lease: Lease, error: unknown): Promise<boolean> {
    if (!HebraError.isInstance(error) || error.code !== "STALE_FENCE") return false;
    const fence = Number(error.details["fence"]);
    if (!(fence > lease.fence)) return false;
    await locks.seed(lockKey, fence);
    return true;
  }

  /** Runs turn after turn until none is left or one waits for people. */
  async function drain(target: DriveTarget, lease: Lease, started: StartedWork | undefined): Promise<void> {
    const signal = anySignal([lease.signal, closed]);
    try {
      let work: StartedWork | undefined = started ?? (await nextWork(target, lease));
      while (work !== undefined && !signal.aborted) {
        const end = await run(target, lease, { ...work, signal, fence: lease.fence });
        if (end.parked) return watchExpiry(target, end);
        await sumUp(target, lease, end, signal);
        work = await nextWork(target, lease);
      }
    } finally {
      signal.release();
    }
  }

  /** Keeps the history short for the model, where the definition says how. */
  async function sumUp(
    { tenant, threadKey, contextId }: DriveTarget,
    { fence }: Lease,
    { rows }: TurnEnd,
    signal: AbortSignal,
  ): Promise<void> {
    const definition = options.definition(rows.execution.definition);
    if (definition?.compaction === undefined || signal.aborted) return;
    const { threadId, seq } = rows.context;
    await compact({
      tenant,
      threadKey,
      contextId,
      threadId,
      fence,
      seq,
      store,
      definition,
      clock,
      logger,
      signal,
      publish: (event) => turns.publish(event),
    });
  }

  const run = (target: DriveTarget, lease: Lease, work: TurnWork): Promise<TurnEnd> =>
    work.telemetry.run(() => runOne(target, lease, work));

  async function runOne(target: DriveTarget, lease: Lease, work: TurnWork): Promise<TurnEnd> {
    const { execution } = work.rows;
    const definition = options.definition(execution.definition)!;
    const turnLogger = withFields(logger, logFieldsOf(target.tenant, execution));
    turns.begin(execution.id);
    try {
      const end = await runTurn(
        {
          tenant: target.tenant,
          threadKey: target.threadKey,
          store,
          definition,
          reactor: await options.reactor(definition),
          clock,
          random: options.random,
          logger: turnLogger,
          historyItems: options.historyItems,
          settleWindowMs: options.settleWindowMs,
          maxAttempts: options.maxAttempts,
          readFile: options.readFile,
          publish: (event) => turns.publish(event),
          outgoing: options.outgoing && ((rows) => options.outgoing!(target, rows)),
        },
        work,
      );
      work.telemetry.ended(end.rows.execution);
      turns.end(execution.id, { result: turnResult(end.rows.execution, end.rows.parts, end.rows.approvals) });
      return end;
    } catch (error) {
      work.telemetry.givenUp(error);
      turns.end(execution.id, {
        error: closed.aborted
          ? new HebraError("CLOSED", "The engine was closed before the turn ended; it will be resumed.", {
              retryable: true,
            })
          : error,
      });
      turnLogger.warn("A turn was given up in this process and will be resumed.", {
        code: errorCode(error) ?? null,
        error: errorMessage(error),
        fence: lease.fence,
      });
      throw error;
    }
  }

  async function nextWork(target: DriveTarget, lease: Lease): Promise<StartedWork | undefined> {
    for (;;) {
      try {
        return await takeNext(target, lease);
      } catch (error) {
        // Somebody wrote to the inbox in between: look again.
        if (!isInboxConflict(error)) throw error;
      }
    }
  }

  /** The turn that is to run next: one that was cut off, one that people have moved on, or the first in the queue. */
  async function takeNext(target: DriveTarget, lease: Lease): Promise<StartedWork | undefined> {
    const seen = await store.load(target.tenant, { contextId: target.contextId });
    if (seen === undefined) return undefined;
    if (seen.active !== undefined) return resume(target, lease, seen);
    const queued = seen.queued[0];
    if (queued === undefined) return undefined;
    if (queued.execution.cancelRequestedAt !== null) {
      await cancelQueued(target, lease, queued, seen.context.seq);
      return takeNext(target, lease);
    }
    const definition = options.definition(queued.execution.definition);
    if (definition === undefined) return leaveAlone(queued.execution.definition);
    const context = currentState(definition, seen.context);
    const { cancelRequestedAt: _at, cancelRequest: _request, ...row } = queued.execution;
    const told = telemetry.turn(target.tenant, row);
    const execution = { ...row, correlation: told.correlation };
    const start = startExecution(
      target.tenant,
      { execution, trigger: queued.trigger, attached: queued.attached },
      context,
      clock.now(),
    );
    // The inbox is checked too: a trigger that is attached at this moment must not be overlooked.
    const guard = { fence: lease.fence, expectedSeq: context.seq, expectedInboxSeq: context.inboxSeq };
    const committed = await store.commit(target.tenant, target.contextId, guard, {
      context: start.patch,
      items: [start.trigger, ...start.attached, start.reaction],
      executions: [start.execution],
      steps: [start.step],
      events: start.events,
    });
    for (const event of start.events) turns.publish(event);
    return {
      rows: {
        context: { ...context, ...start.patch, seq: committed.seq },
        execution: start.execution,
        trigger: start.trigger,
        reaction: start.reaction,
        step: start.step,
        parts: [],
        calls: [],
        approvals: [],
      },
      state: { ...initialTurn, usage: start.execution.usage },
      telemetry: told,
      resumed: false,
      steered: start.attached.map((item) => ({ item, iteration: 0 })),
      inboxSeq: committed.inboxSeq,
      waitedMs: 0,
      handedOver: [],
    };
  }

  /** A turn that was cancelled before it ran: it has a trigger and no reaction. */
  async function cancelQueued(
    target: DriveTarget,
    lease: Lease,
    { execution: row }: QueuedExecution,
    seq: number,
  ): Promise<void> {
    const at = clock.now();
    const { cancelRequestedAt: _at, cancelRequest: _request, ...queued } = row;
    assertTransition(executionStates, "execution", queued.status, "cancelled");
    const execution: ExecutionRow = {
      ...queued,
      status: "cancelled",
      outcome: "cancelled",
      endedAt: at,
      updatedAt: at,
    };
    const writer = createEventWriter({
      tenant: target.tenant,
      contextId: target.contextId,
      executionId: execution.id,
      seq,
      at,
    });
    writer.add("execution-ended", {
      status: "cancelled",
      reason: "cancelled",
      usage: { ...execution.usage },
      error: null,
      output: null,
    });
    await store.commit(
      target.tenant,
      target.contextId,
      { fence: lease.fence, expectedSeq: seq },
      { context: { updatedAt: at }, executions: [execution], events: writer.events },
    );
    for (const event of writer.events) turns.publish(event);
    telemetry.neverRan(execution);
    turns.end(execution.id, { result: turnResult(execution, [], []) });
  }

  async function resume(target: DriveTarget, lease: Lease, seen: Snapshot): Promise<StartedWork | undefined> {
    const active = seen.active!;
    const definition = options.definition(active.execution.definition);
    if (definition === undefined) return leaveAlone(active.execution.definition);
    if (active.execution.status === "waiting" && !hasNews(active, clock.now())) return undefined;
    const snapshot = await store.takeOver(target.tenant, target.contextId, lease.fence);
    if (snapshot.active === undefined) return takeNext(target, lease);
    const work = resumeWork(snapshot, snapshot.active, definition);
    if (Number.isFinite(definition.policy.maxDurationMs))
      work.waitedMs = await timeWaited(store, target.tenant, snapshot.active, clock.now());
    const told = telemetry.turn(
      target.tenant,
      work.rows.execution,
      snapshot.active.execution.status === "waiting" ? "decision" : "cut-off",
    );
    work.rows.execution = { ...work.rows.execution, correlation: told.correlation };
    return { ...work, telemetry: told };
  }

  function leaveAlone(name: string): undefined {
    logger.warn("This process has no definition of that name and leaves its turns alone.", { definition: name });
    return undefined;
  }

  /** An approval that nobody answers must end the wait by itself. */
  function watchExpiry(target: DriveTarget, end: TurnEnd): void {
    const expiry = earliestExpiry(end.rows.approvals);
    if (expiry === null) return;
    const cancel = clock.after(Math.max(0, expiry - clock.now()), () => {
      closed.removeEventListener("abort", cancel);
      driver.wake(target);
    });
    closed.addEventListener("abort", cancel, { once: true });
  }

  const driver: Driver = {
    isDriving: (target) => drives.has(idOf(target)),
    drive: (target, lease, started) => launch(target, () => Promise.resolve(lease), started),
    kick(target) {
      if (closed.aborted) return;
      const drive = drives.get(idOf(target));
      if (drive !== undefined) drive.again = true;
      else
        launch(target, () =>
          locks.acquire(target.lockKey, { ttlMs: options.leaseTtlMs, waitMs: Infinity, signal: closed }),
        );
    },
    wake(target) {
      if (closed.aborted) return;
      if (options.wake === undefined) driver.kick(target);
      else options.wake(target);
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
  return driver;
}
