import { setMaxListeners } from "node:events";
import { errorCode, HebraError, silentLogger, systemClock, type Clock, type Logger } from "@hebra/core";
import { lockKey, type Lease, type LockManager } from "@hebra/lock";
import { defaultReactor } from "../definition/default-reactor.ts";
import type { AnyThreadDefinition } from "../definition/define-thread.ts";
import type { ApprovalRow } from "../store/rows.ts";
import type { Snapshot, ThreadStore } from "../store/store.ts";
import { createEngineTelemetry } from "../telemetry/create-engine-telemetry.ts";
import type { EngineTelemetry } from "./engine-telemetry.ts";
import { openTelemetry } from "../telemetry/open-telemetry.ts";
import type { Address, EngineOptions } from "./api.ts";
import type { DriveTarget } from "./drive/drive-target.ts";
import { createDriver, type Driver } from "./drive/driver.ts";
import { createStuckList, type StuckList } from "./drive/stuck.ts";
import { createLocalTurns, type LocalTurns } from "./drive/local-turns.ts";
import { parseEngineOptions, type ParsedEngineOptions } from "./engine-options.ts";
import { createHandle, type HandleOptions, type TurnHandle } from "./handle.ts";
import { mainContextIdOf, newContext, newThread, threadIdOf } from "./rows/new-rows.ts";
import { turnResult } from "./rows/turn-result.ts";
import { createTailWriter } from "../stream/tail-writer.ts";
import { steadyStore } from "./steady-store.ts";
import { defaultLocks } from "./default-locks.ts";
import { createSweeper, type Sweeper } from "./sweeper.ts";

/** What every verb of an engine shares. */
export interface EngineCore {
  readonly options: EngineOptions;
  readonly settings: ParsedEngineOptions;
  readonly store: ThreadStore;
  /** The store for work that no caller waits for: calls are tried again. */
  readonly steady: ThreadStore;
  readonly locks: LockManager;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: EngineTelemetry;
  readonly definitions: ReadonlyMap<string, AnyThreadDefinition>;
  readonly turns: LocalTurns;
  readonly driver: Driver;
  readonly stuck: StuckList;
  /** Looks for turns without an owner from time to time. */
  readonly sweeper: Sweeper;
  /** Aborts when the engine is closed. */
  readonly closing: AbortController;
}

/** @throws HebraError `INVALID_OPTIONS` */
export function createEngineCore(options: EngineOptions, sweep: (core: EngineCore) => Promise<unknown>): EngineCore {
  const settings = parseEngineOptions(options);
  const { store, clock = systemClock, logger = silentLogger } = options;
  const telemetry = createEngineTelemetry({ ...openTelemetry(settings.telemetry, "@hebra/thread"), clock });
  const locks = telemetry.locks(options.locks ?? defaultLocks(store, clock));
  const definitions = new Map(options.threads.map((definition) => [definition.name, definition]));
  const turns = createLocalTurns(options.tail && createTailWriter(options.tail, { clock, logger }));
  const closing = new AbortController();
  // Every open handle and turn listens; their number is the load, not a leak.
  setMaxListeners(0, closing.signal);
  const steady = steadyStore(store, {
    clock,
    random: options.random ?? Math.random,
    logger,
    signal: closing.signal,
    patient: options.wake === undefined,
  });
  const stuck = createStuckList();
  const core = {
    options,
    settings,
    store,
    steady,
    locks,
    clock,
    logger,
    telemetry,
    definitions,
    turns,
    stuck,
    closing,
  };
  const sweeper = createSweeper({
    everyMs: settings.recoverEveryMs ?? (options.wake === undefined ? settings.leaseTtlMs : false),
    clock,
    logger,
    closed: closing.signal,
    sweep: () => sweep(engineCore),
  });
  const engineCore: EngineCore = { ...core, sweeper, driver: createEngineDriver(core) };
  return engineCore;
}

function createEngineDriver(core: Omit<EngineCore, "driver" | "sweeper">): Driver {
  const { options, settings, steady, locks, clock, logger, telemetry, definitions, turns, stuck, closing } = core;
  const { outbox, random = Math.random, readFile, blobs, wake } = options;
  return createDriver({
    ...settings,
    store: steady,
    patient: options.wake === undefined,
    stuck,
    locks,
    clock,
    random,
    logger,
    telemetry,
    turns,
    readFile,
    blobs,
    definition: (name) => definitions.get(name),
    reactor: (definition) => definition.reactor ?? defaultReactor(definition),
    outgoing:
      outbox &&
      (({ tenant, threadKey, contextId }, { execution, trigger, parts, approvals }) =>
        outbox({
          tenant,
          threadKey,
          contextId,
          result: turnResult(execution, parts, approvals),
          definition: execution.definition,
          trigger,
          correlation: execution.correlation,
        })),
    wake,
    closed: closing.signal,
  });
}

/** The tenant of an address or of a verb's options. */
export const tenantOf = (at: { tenant?: string | undefined } | undefined): string => at?.tenant ?? "default";

/** The line of history that a snapshot shows, for the driver. */
export const targetOf = (tenant: string, { thread, context }: Pick<Snapshot, "thread" | "context">): DriveTarget => ({
  tenant,
  threadKey: thread.key,
  contextId: context.id,
  lockKey: lockKey(tenant, thread.key),
});

/** @throws HebraError `THREAD_NOT_FOUND` */
export async function find({ store }: EngineCore, address: Address): Promise<Snapshot> {
  const snapshot = await store.load(tenantOf(address), address);
  if (snapshot !== undefined) return snapshot;
  const name =
    "key" in address ? `key ${address.key}` : "id" in address ? `id ${address.id}` : `context ${address.contextId}`;
  throw new HebraError("THREAD_NOT_FOUND", `There is no thread with the ${name}.`, {
    details: { tenant: tenantOf(address) },
  });
}

/** What is there, or the rows with which it would begin. */
export async function locate(
  core: EngineCore,
  tenant: string,
  address: Address,
  definition: AnyThreadDefinition,
): Promise<Snapshot> {
  if (!("key" in address)) return find(core, address);
  const found = await core.store.load(tenant, address);
  if (found !== undefined) return found;
  const at = core.clock.now();
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

/** The lease of an idle thread, or nothing while somebody holds it. */
export async function tryLease({ locks, settings }: EngineCore, key: string): Promise<Lease | undefined> {
  try {
    return await locks.acquire(key, { ttlMs: settings.leaseTtlMs, waitMs: 0 });
  } catch (error) {
    if (errorCode(error) === "LOCK_TIMEOUT") return undefined;
    throw error;
  }
}

/** @throws HebraError `CLOSED` */
export function assertOpen({ closing }: EngineCore): void {
  if (closing.signal.aborted) throw new HebraError("CLOSED", "The engine is closed.");
}

/** @throws HebraError `DEFINITION_MISSING`, `CLOSED` */
export function definitionOf(core: EngineCore, named: AnyThreadDefinition | string): AnyThreadDefinition {
  assertOpen(core);
  const name = typeof named === "string" ? named : named.name;
  const definition = core.definitions.get(name);
  if (definition === undefined)
    throw new HebraError(
      "DEFINITION_MISSING",
      `This engine has no thread definition ${name}; pass it in \`threads\`.`,
      {
        details: { definition: name },
      },
    );
  return definition;
}

/** A handle on a turn of which the caller knows the rows. */
export function newHandle(
  { store, clock, turns, closing, stuck, options: { wake, tail } }: EngineCore,
  options: Pick<HandleOptions, "tenant" | "execution" | "duplicate" | "isNew" | "afterSeq" | "ownId">,
): TurnHandle {
  const { tenant, execution } = options;
  return createHandle({
    ...options,
    store,
    clock,
    turns,
    tail,
    closed: closing.signal,
    // Where other processes run the turns, what this one cannot do says nothing.
    whyStuck: () => (wake === undefined ? stuck.get({ tenant, contextId: execution.contextId }) : undefined),
  });
}

/**
 * A handle on a turn that is in the store. @param ownId - of the message's own turn, when it joined another's. @throws
 * HebraError `EXECUTION_NOT_FOUND`
 */
export async function handleOf(
  core: EngineCore,
  tenant: string,
  executionId: string,
  duplicate: boolean,
  ownId?: string,
): Promise<TurnHandle> {
  const graph = await core.store.execution(tenant, executionId);
  if (graph === undefined)
    throw new HebraError("EXECUTION_NOT_FOUND", `There is no execution ${executionId}.`, {
      details: { tenant, executionId },
    });
  const seq = graph.items.find(({ id }) => id === graph.execution.triggerItemId)?.seq;
  const afterSeq = (seq ?? 1) - 1;
  return newHandle(core, { tenant, execution: graph.execution, duplicate, isNew: false, afterSeq, ownId });
}

/**
 * Resumes what a context has to go on with: here, or by another worker. Never throws: what was written stands, and a
 * sweep finds it.
 */
export async function wakeContext(core: EngineCore, tenant: string, contextId: string): Promise<void> {
  try {
    const snapshot = await core.store.load(tenant, { contextId });
    if (snapshot !== undefined) core.driver.wake(targetOf(tenant, snapshot));
  } catch (error) {
    core.logger.warn("A conversation could not be woken; the next sweep finds it.", {
      code: errorCode(error) ?? null,
      contextId,
    });
    core.sweeper.soon();
  }
}

/** What is open in a conversation; nothing when there is none yet. */
export async function whatIsOpen(
  { store }: EngineCore,
  address: Address,
): Promise<{ approvals: ApprovalRow[]; executionIds: string[] } | undefined> {
  const snapshot = await store.load(tenantOf(address), address);
  if (snapshot === undefined) return undefined;
  const { active, queued } = snapshot;
  return {
    approvals: (active?.approvals ?? []).filter(({ status }) => status === "pending"),
    executionIds: [...(active === undefined ? [] : [active]), ...queued].map(({ execution }) => execution.id),
  };
}
