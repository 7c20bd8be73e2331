import type { Lease } from "@hebra/lock";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import type { BusyPolicy } from "../../definition/policy.ts";
import type { ContextRow, ExecutionRow } from "../../store/rows.ts";
import type { Begin, Begun, Snapshot } from "../../store/store.ts";
import type { TurnTelemetry } from "../engine-telemetry.ts";
import type { StartedWork } from "../drive/driver-options.ts";
import { handleOf, newHandle, targetOf, type EngineCore } from "../engine-core.ts";
import type { TurnHandle } from "../handle.ts";
import { executionIdOf, newExecution, newTriggerItem, newTriggerRow } from "../rows/new-rows.ts";
import { startExecution, type Start } from "../rows/start.ts";
import { currentState } from "../rows/state.ts";
import type { ParsedTrigger } from "../trigger.ts";
import { initialTurn } from "../turn/turn-state.ts";

/** A trigger on its way into a thread. */
export interface Arrival {
  tenant: string;
  snapshot: Snapshot;
  definition: AnyThreadDefinition;
  trigger: ParsedTrigger;
}

/** A stored trigger, and whether the lease went on to the driver. */
export interface Accepted {
  turn: TurnHandle;
  tookLease: boolean;
}

/** Begins a turn of an idle thread under its lease, in one write. */
export async function beginNow(
  core: EngineCore,
  lease: Lease,
  arrival: Arrival,
  { given, betweenTurns }: { given: boolean; betweenTurns?: (() => Promise<void>) | undefined },
): Promise<Accepted> {
  const { tenant, snapshot, definition, trigger } = arrival;
  const context = currentState(definition, snapshot.context);
  const queued = newExecution(tenant, context, definition, trigger, core.clock.now());
  const turnSpan = core.telemetry.turn(tenant, queued);
  const execution = { ...queued, correlation: turnSpan.correlation };
  const start = startExecution(
    tenant,
    { execution, trigger: newTriggerItem(execution, trigger) },
    context,
    core.clock.now(),
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
  const begun = await core.store.begin(tenant, begin);
  if (begun.duplicate) {
    countRepeated(core, begun.execution);
    return { turn: await handleOf(core, tenant, begun.execution.id, true, queued.id), tookLease: false };
  }
  const turn = newHandle(core, {
    tenant,
    execution: begun.execution,
    duplicate: false,
    isNew: true,
    afterSeq: context.seq,
  });
  core.turns.begin(execution.id);
  for (const event of start.events) core.turns.publish(event);
  const isAlone = snapshot.queued.length === 0 && context.inboxSeq === begun.inboxSeq;
  const started = {
    ...startedWork(start, context, lease, begun, turnSpan),
    ...(isAlone ? { nothingQueuedAt: begun.inboxSeq } : {}),
  };
  core.driver.drive(targetOf(tenant, snapshot), lease, { started, given, betweenTurns });
  return { turn, tookLease: true };
}

function startedWork(
  start: Start,
  context: ContextRow,
  lease: Lease,
  begun: Begun,
  telemetry: TurnTelemetry,
): StartedWork {
  return {
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
    telemetry,
    resumed: false,
    steered: [],
    inboxSeq: begun.inboxSeq,
    waitedMs: 0,
    handedOver: [],
  };
}

/** How a trigger joins a busy thread. */
export interface QueueOptions {
  policy: BusyPolicy;
  lease: Lease | undefined;
  /** `drive`: under the lease. `kick`: as soon as this process gets it. `nothing`: another process will. */
  then: "drive" | "kick" | "nothing";
  /** Called between two turns of a drive under the lease. */
  betweenTurns?: (() => Promise<void>) | undefined;
}

/** Stores a trigger of a thread in which something runs or waits; it runs when its turn comes. */
export async function beginQueued(
  core: EngineCore,
  arrival: Arrival,
  { policy, lease, then, betweenTurns }: QueueOptions,
): Promise<Accepted> {
  const { tenant, snapshot } = arrival;
  const begun = await storeQueued(core, arrival, policy);
  const at = targetOf(tenant, snapshot);
  const tookLease = lease !== undefined && (then === "drive" || !core.driver.isDriving(at));
  // Before the handle is made, which may fail: what is stored goes on.
  if (tookLease) core.driver.drive(at, lease, { given: then === "drive", betweenTurns });
  else if (then === "kick") core.driver.kick(at);
  return { turn: await queuedHandle(core, arrival, begun), tookLease };
}

async function storeQueued(core: EngineCore, arrival: Arrival, policy: BusyPolicy): Promise<Begun> {
  const { tenant, snapshot, definition, trigger } = arrival;
  const { store, clock, telemetry } = core;
  const execution = newExecution(tenant, snapshot.context, definition, trigger, clock.now());
  const host = hostOf(snapshot, policy);
  const begun = await store.begin(tenant, {
    thread: snapshot.thread,
    context: snapshot.context,
    trigger: newTriggerRow(execution, trigger.digest),
    execution,
    items: [newTriggerItem(execution, trigger)],
    ...(host === undefined ? {} : { attachTo: host }),
  });
  if (begun.duplicate) countRepeated(core, begun.execution);
  else if (begun.attached) telemetry.injected(definition.name, policy);
  if (policy === "interrupt" && !begun.duplicate && snapshot.active !== undefined) {
    await store.requestCancel(tenant, snapshot.active.execution.id, {
      reason: `Interrupted by the trigger ${trigger.id}.`,
      at: clock.now(),
    });
  }
  return begun;
}

/** The execution that a trigger joins instead of making one of its own. */
function hostOf({ active, queued }: Snapshot, policy: BusyPolicy): string | undefined {
  const host = policy === "steer" ? active : policy === "merge" ? queued.at(-1) : undefined;
  // A turn that is being cancelled shows its input to no model any more.
  return host === undefined || host.execution.cancelRequestedAt !== null ? undefined : host.execution.id;
}

function queuedHandle(
  core: EngineCore,
  { tenant, snapshot, trigger }: Arrival,
  { attached, execution, duplicate }: Begun,
): TurnHandle | Promise<TurnHandle> {
  // What still waits in line has no event yet, whoever put it there.
  const ownId = executionIdOf(tenant, snapshot.context.id, trigger.id);
  if (attached || execution.status !== "queued") return handleOf(core, tenant, execution.id, duplicate, ownId);
  return newHandle(core, { tenant, execution, duplicate, isNew: true, afterSeq: snapshot.context.seq });
}

/** Counts a second delivery, but not of a turn that was announced by `enqueue` and begins now. */
function countRepeated({ telemetry }: EngineCore, { status, definition }: ExecutionRow): void {
  if (status !== "queued") telemetry.duplicate(definition);
}
