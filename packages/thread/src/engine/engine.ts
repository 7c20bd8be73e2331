import { setMaxListeners } from "node:events";
import { errorCode, HebraError, silentLogger, systemClock } from "@hebra/core";
import { localLocks, lockKey, type Lease } from "@hebra/lock";
import { defaultReactor } from "../definition/default-reactor.ts";
import type { AnyThreadDefinition } from "../definition/define-thread.ts";
import type { BusyPolicy } from "../definition/policy.ts";
import type { ExecutionRow } from "../store/rows.ts";
import type { Begin, Decision, Snapshot } from "../store/store.ts";
import { createEngineTelemetry } from "../telemetry/create-engine-telemetry.ts";
import { openTelemetry } from "../telemetry/options.ts";
import type { Address, Engine, EngineOptions, ReactOptions } from "./api.ts";
import { checkEdit, type Edit } from "./check-edit.ts";
import { compareContexts } from "./compare.ts";
import { createDriver, type DriveTarget, type StartedWork } from "./drive/driver.ts";
import { parseEngineOptions } from "./engine-options.ts";
import { createHandle, type TurnHandle } from "./handle.ts";
import {
  mainContextIdOf,
  newContext,
  newExecution,
  newThread,
  newTriggerItem,
  newTriggerRow,
  threadIdOf,
} from "./rows/new-rows.ts";
import { startExecution } from "./rows/start.ts";
import { currentState } from "./rows/state.ts";
import { parseTrigger, type ParsedTrigger, type Trigger } from "./trigger.ts";
import { turnResult } from "./rows/turn-result.ts";
import { initialTurn } from "./turn/turn-state.ts";
import { createLocalTurns } from "./drive/local-turns.ts";

/** How often a trigger is tried to be stored while others write. */
const TRIES = 5;

/**
 * Puts an engine together.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createEngine, defineThread } from "@hebra/thread";
 * import { scriptedReactor } from "@hebra/thread/reactor";
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * const hello = defineThread({ name: "hello", reactor: scriptedReactor({ steps: [{ text: "Hello." }], repeatLast: true
 * }) });
 * const engine = createEngine({ store: memoryStore(), threads: [hello] });
 * const turn = await engine.react(hello, { id: "message-1", text: "Hi" }, { address: { key: "customer-7" } });
 * console.log((await turn.result).text); // Hello.
 * ```
 */
export function createEngine(options: EngineOptions): Engine {
  const { historyItems, settleWindowMs, leaseTtlMs, maxAttempts, telemetry: given } = parseEngineOptions(options);
  const { store, clock = systemClock, logger = silentLogger, random = Math.random } = options;
  const telemetry = createEngineTelemetry({ ...openTelemetry(given, "@hebra/thread"), clock });
  const locks = telemetry.locks(options.locks ?? localLocks({ clock }));
  const definitions = new Map(options.threads.map((definition) => [definition.name, definition]));
  const turns = createLocalTurns();
  const closing = new AbortController();
  // Every open handle and turn listens; their number is the load, not a leak.
  setMaxListeners(0, closing.signal);
  const driver = createDriver({
    store,
    locks,
    clock,
    random,
    logger,
    telemetry,
    turns,
    historyItems,
    settleWindowMs,
    maxAttempts,
    readFile: options.readFile,
    leaseTtlMs,
    definition: (name) => definitions.get(name),
    reactor: (definition) => definition.reactor ?? defaultReactor(definition),
    outgoing:
      options.outbox &&
      (({ tenant, threadKey, contextId }, { execution, trigger, parts, approvals }) =>
        options.outbox!({
          tenant,
          threadKey,
          contextId,
          result: turnResult(execution, parts, approvals),
          definition: execution.definition,
          trigger,
          correlation: execution.correlation,
        })),
    wake: options.wake,
    closed: closing.signal,
  });

  /** A trigger with the trace in which it came. */
  const accepted = (input: Trigger): ParsedTrigger => {
    const trigger = parseTrigger(input);
    return { ...trigger, correlation: telemetry.caused(trigger.correlation) };
  };
  const tenantOf = (at: { tenant?: string } | undefined) => at?.tenant ?? "default";
  const target = (tenant: string, snapshot: Pick<Snapshot, "thread" | "context">): DriveTarget => ({
    tenant,
    threadKey: snapshot.thread.key,
    contextId: snapshot.context.id,
    lockKey: lockKey(tenant, snapshot.thread.key),
  });

  async function find(address: Address): Promise<Snapshot> {
    const snapshot = await store.load(tenantOf(address), address);
    if (snapshot !== undefined) return snapshot;
    const name =
      "key" in address ? `key ${address.key}` : "id" in address ? `id ${address.id}` : `context ${address.contextId}`;
    throw new HebraError("THREAD_NOT_FOUND", `There is no thread with the ${name}.`, {
      details: { tenant: tenantOf(address) },
    });
  }

  /** What is there, or the rows with which it would begin. */
  async function locate(tenant: string, address: Address, definition: AnyThreadDefinition): Promise<Snapshot> {
    if (!("key" in address)) return find(address);
    const found = await store.load(tenant, address);
    if (found !== undefined) return found;
    const at = clock.now();
    const threadId = threadIdOf(tenant, address.key);
    const contextId = mainContextIdOf(tenant, threadId);
    return {
      thread: newThread(threadId, address.key, contextId, at),
      context: newContext(contextId, threadId, definition.initialState, definition.stateVersion, at),
      active: undefined,
      queued: [],
      outbox: [],
    };
  }

  /** The lease of an idle thread, or nothing when somebody holds it. */
  async function tryLease(key: string): Promise<Lease | undefined> {
    try {
      return await locks.acquire(key, { ttlMs: leaseTtlMs, waitMs: 0 });
    } catch (error) {
      if (errorCode(error) === "LOCK_TIMEOUT") return undefined;
      throw error;
    }
  }

  function definitionOf(named: AnyThreadDefinition | string): AnyThreadDefinition {
    if (closing.signal.aborted) throw new HebraError("CLOSED", "The engine is closed.");
    const name = typeof named === "string" ? named : named.name;
    const definition = definitions.get(name);
    if (definition === undefined)
      throw new HebraError(
        "DEFINITION_MISSING",
        `This engine has no thread definition ${name}; pass it in \`threads\`.`,
        { details: { definition: name } },
      );
    return definition;
  }

  async function react(
    named: AnyThreadDefinition | string,
    input: Trigger,
    { address, whenBusy, signal, lease: given }: ReactOptions,
  ): Promise<TurnHandle> {
    let lease = given;
    let handedOn = false;
    try {
      const definition = definitionOf(named);
      const trigger = accepted(input);
      // Nothing is written for a turn that could not think.
      if (definition.reactor === undefined) await defaultReactor(definition);
      const tenant = tenantOf(address);
      const threadKey = "key" in address ? address.key : (await find(address)).thread.key;
      const key = lockKey(tenant, threadKey);
      lease ??= await tryLease(key);
      let snapshot = await locate(tenant, address, definition);
      if (lease !== undefined && lease.fence < snapshot.context.fence) {
        // The locks have lost their count, or a newer holder is there already: they are told the store's.
        await locks.seed(key, snapshot.context.fence);
        if (given === undefined) {
          await lease.release();
          lease = await tryLease(key);
          snapshot = await locate(tenant, address, definition);
        }
      }
      const held = lease;
      const take = async () => {
        const idle = held !== undefined && snapshot.active === undefined && snapshot.queued.length === 0;
        const policy = whenBusy ?? definition.policy.whenBusy;
        if (!idle && policy === "reject" && !(await isKnown(tenant, snapshot, trigger, definition))) {
          throw new HebraError("THREAD_BUSY", `The thread ${threadKey} is running another turn.`, {
            details: { tenant, threadKey },
          });
        }
        return idle
          ? beginNow(held, tenant, snapshot, definition, trigger)
          : beginQueued(held, tenant, snapshot, definition, trigger, policy, given === undefined ? "kick" : "drive");
      };
      let handle: Awaited<ReturnType<typeof take>> | undefined;
      for (let tries = 1; handle === undefined; tries++) {
        try {
          handle = await take();
        } catch (error) {
          // A holder that is none any more had a write on its way, or the thread came to be at this moment: it is
          // looked at again.
          if (errorCode(error) !== "VERSION_CONFLICT" || tries >= TRIES) throw error;
          snapshot = await locate(tenant, address, definition);
        }
      }
      handedOn = handle.tookLease;
      if (signal !== undefined) cancelOn(signal, tenant, handle.turn.executionId);
      return handle.turn;
    } catch (error) {
      telemetry.failed(error);
      throw error;
    } finally {
      if (!handedOn) await lease?.release();
    }
  }

  /** Nothing runs: the turn begins under our lease, in one write. */
  async function beginNow(
    lease: Lease,
    tenant: string,
    snapshot: Snapshot,
    definition: AnyThreadDefinition,
    trigger: ParsedTrigger,
  ) {
    const context = currentState(definition, snapshot.context);
    const queued = newExecution(tenant, context, definition, trigger, clock.now());
    const told = telemetry.turn(tenant, queued);
    const execution = { ...queued, correlation: told.correlation };
    const start = startExecution(
      tenant,
      { execution, trigger: newTriggerItem(execution, trigger) },
      context,
      clock.now(),
    );
    const begin: Begin = {
      thread: snapshot.thread,
      context,
      trigger: newTriggerRow(execution, trigger.digest),
      execution: start.execution,
      items: [start.trigger, start.reaction],
      steps: [start.step],
      patch: start.patch,
      events: start.events,
      guard: { fence: lease.fence, expectedSeq: context.seq },
    };
    const begun = await store.begin(tenant, begin);
    if (begun.duplicate) {
      repeated(begun.execution);
      return { turn: await handleOf(tenant, begun.execution.id, true), tookLease: false };
    }
    const turn = newHandle(tenant, begun.execution, { duplicate: false, isNew: true, afterSeq: context.seq });
    const work: StartedWork = {
      rows: {
        context: { ...context, ...start.patch, seq: begun.seq, fence: lease.fence },
        execution: start.execution,
        trigger: start.trigger,
        reaction: start.reaction,
        step: start.step,
        parts: [],
        calls: [],
        approvals: [],
      },
      state: initialTurn,
      telemetry: told,
      resumed: false,
      steered: [],
      inboxSeq: begun.inboxSeq,
      waitedMs: 0,
      handedOver: [],
    };
    turns.begin(execution.id);
    for (const event of start.events) turns.publish(event);
    driver.drive(target(tenant, snapshot), lease, work);
    return { turn, tookLease: true };
  }

  /** Something runs or waits: the trigger is stored, and runs when its turn comes. */
  async function beginQueued(
    lease: Lease | undefined,
    tenant: string,
    snapshot: Snapshot,
    definition: AnyThreadDefinition,
    trigger: ParsedTrigger,
    policy: BusyPolicy,
    then: "drive" | "kick" | "nothing",
  ) {
    const execution = newExecution(tenant, snapshot.context, definition, trigger, clock.now());
    const host =
      policy === "steer"
        ? snapshot.active?.execution.id
        : policy === "merge"
          ? snapshot.queued.at(-1)?.execution.id
          : undefined;
    const begun = await store.begin(tenant, {
      thread: snapshot.thread,
      context: snapshot.context,
      trigger: newTriggerRow(execution, trigger.digest),
      execution,
      items: [newTriggerItem(execution, trigger)],
      ...(host === undefined ? {} : { attachTo: host }),
    });
    if (begun.duplicate) repeated(begun.execution);
    else if (begun.attached) telemetry.injected(definition.name, policy);
    if (policy === "interrupt" && !begun.duplicate && snapshot.active !== undefined) {
      await store.requestCancel(tenant, snapshot.active.execution.id, {
        reason: `Interrupted by the trigger ${trigger.id}.`,
        at: clock.now(),
      });
    }
    // What still waits in line has no event yet, whoever put it there.
    const waits = !begun.attached && begun.execution.status === "queued";
    const turn = waits
      ? newHandle(tenant, begun.execution, { duplicate: begun.duplicate, isNew: true, afterSeq: snapshot.context.seq })
      : await handleOf(tenant, begun.execution.id, begun.duplicate);
    const at = target(tenant, snapshot);
    if (then === "nothing") return { turn, tookLease: false };
    if (lease !== undefined && (then === "drive" || !driver.isDriving(at))) {
      driver.drive(at, lease);
      return { turn, tookLease: true };
    }
    driver.kick(at);
    return { turn, tookLease: false };
  }

  /** What is still in line was announced before it was delivered, and begins now. */
  const repeated = ({ status, definition }: ExecutionRow) => {
    if (status !== "queued") telemetry.duplicate(definition);
  };

  const newHandle = (
    tenant: string,
    execution: ExecutionRow,
    { duplicate, isNew, afterSeq }: { duplicate: boolean; isNew: boolean; afterSeq: number },
  ) => createHandle({ tenant, store, clock, turns, execution, duplicate, isNew, afterSeq, closed: closing.signal });

  /** A handle on a turn that is in the store. */
  async function handleOf(tenant: string, executionId: string, duplicate: boolean): Promise<TurnHandle> {
    const graph = await store.execution(tenant, executionId);
    if (graph === undefined)
      throw new HebraError("EXECUTION_NOT_FOUND", `There is no execution ${executionId}.`, {
        details: { tenant, executionId },
      });
    const seq = graph.items.find(({ id }) => id === graph.execution.triggerItemId)?.seq;
    return newHandle(tenant, graph.execution, { duplicate, isNew: false, afterSeq: (seq ?? 1) - 1 });
  }

  async function isKnown(
    tenant: string,
    snapshot: Snapshot,
    trigger: ParsedTrigger,
    definition: AnyThreadDefinition,
  ): Promise<boolean> {
    return (
      (await store.execution(tenant, newExecution(tenant, snapshot.context, definition, trigger, clock.now()).id)) !==
      undefined
    );
  }

  function cancelOn(signal: AbortSignal, tenant: string, executionId: string): void {
    const cancel = () =>
      void engine.cancel(executionId, { tenant, reason: "The caller's signal aborted." }).catch(() => undefined);
    if (signal.aborted) return cancel();
    signal.addEventListener("abort", cancel, { once: true });
    // A caller's signal may live as long as its process; the turn does not.
    turns.onEnd(executionId, () => signal.removeEventListener("abort", cancel));
  }

  async function kickContext(tenant: string, contextId: string): Promise<void> {
    const snapshot = await store.load(tenant, { contextId });
    if (snapshot !== undefined) driver.wake(target(tenant, snapshot));
  }

  async function decideApproval(
    approvalId: string,
    options: { tenant?: string; by?: string; comment?: string },
    decision: Decision["decision"],
    edit?: Edit,
  ) {
    const tenant = tenantOf(options);
    const { by, comment } = options;
    const editedInput = edit && (await checkEdit(store, definitions, tenant, approvalId, edit));
    const row = await store.decideApproval(tenant, approvalId, {
      ...(editedInput === undefined ? { decision } : { decision: "approved", editedInput }),
      ...(by === undefined ? {} : { by }),
      ...(comment === undefined ? {} : { comment }),
      at: clock.now(),
    });
    await kickContext(tenant, row.contextId);
    return row;
  }

  const engine: Engine = {
    react,
    async resume(address, { lease } = {}) {
      try {
        const at = target(tenantOf(address), await find(address));
        if (lease === undefined) return driver.wake(at);
        driver.drive(at, lease);
      } catch (error) {
        await lease?.release();
        throw error;
      }
    },
    async enqueue(named, input, { address, whenBusy }) {
      const definition = definitionOf(named);
      const trigger = accepted(input);
      const tenant = tenantOf(address);
      const snapshot = await locate(tenant, address, definition);
      return (
        await beginQueued(
          undefined,
          tenant,
          snapshot,
          definition,
          trigger,
          whenBusy ?? definition.policy.whenBusy,
          "nothing",
        )
      ).turn;
    },
    follow: (executionId, at) => handleOf(tenantOf(at), executionId, false),
    async cancel(executionId, at = {}) {
      const tenant = tenantOf(at);
      const { by, reason } = at;
      await store.requestCancel(tenant, executionId, {
        ...(by === undefined ? {} : { by }),
        ...(reason === undefined ? {} : { reason }),
        at: clock.now(),
      });
      const graph = await store.execution(tenant, executionId);
      if (graph !== undefined && graph.execution.endedAt === null) await kickContext(tenant, graph.execution.contextId);
    },
    async approve(approvalId, at = {}) {
      const { input, output } = at;
      if (input !== undefined && output !== undefined)
        throw new HebraError(
          "INVALID_OPTIONS",
          "approve: a call is given another `input` before it runs, or an `output` after it was cut off; not both.",
        );
      return decideApproval(
        approvalId,
        at,
        "approved",
        input !== undefined ? { input } : output !== undefined ? { output } : undefined,
      );
    },
    deny: (approvalId, at = {}) => decideApproval(approvalId, at, "denied"),
    async history(address, { items = historyItems } = {}) {
      const { context } = await find(address);
      return store.history(tenantOf(address), context.id, { items });
    },
    async context(address) {
      return (await find(address)).context;
    },
    async fork(address, { atItemId, id }) {
      const tenant = tenantOf(address);
      const { context } = await find(address);
      const at = clock.now();
      const { state, stateVersion } = await store.stateAt(tenant, context.id, atItemId);
      const made = newContext(id ?? globalThis.crypto.randomUUID(), context.threadId, state, stateVersion, at);
      return store.fork(tenant, { from: context.id, atItemId, context: made });
    },
    async compare(left, right) {
      const [one, other] = await Promise.all(
        [left, right].map(async (address) => ({ tenant: tenantOf(address), context: (await find(address)).context })),
      );
      return compareContexts(store, one!, other!);
    },
    async recover({ olderThanMs = leaseTtlMs, limit = 100 } = {}) {
      // A turn that was touched exactly then counts: clocks have no finer grain than the millisecond.
      const only = { definitions: [...definitions.keys()], limit };
      const orphans = await store.system().sweep({ before: clock.now() - olderThanMs + 1, ...only });
      // Whoever decided may have died before it woke anybody.
      const due = await store.system().due({ now: clock.now(), ...only });
      for (const { tenant, threadKey, contextId } of [...orphans, ...due]) {
        const at = { tenant, threadKey, contextId, lockKey: lockKey(tenant, threadKey) };
        if (driver.isDriving(at)) continue;
        if (options.wake !== undefined) {
          options.wake(at);
          continue;
        }
        // A store cannot tell a dead worker from a slow one; the lease can.
        const lease = await tryLease(at.lockKey);
        if (lease !== undefined) driver.drive(at, lease);
      }
      return orphans.length + due.length;
    },
    idle: () => driver.idle(),
    async close() {
      closing.abort(new HebraError("CLOSED", "The engine was closed."));
      await driver.idle();
      if (options.locks === undefined) await locks.close();
    },
  };
  return engine;
}
