import type { Lease } from "@hebra/lock";
import type { ContextRow, ExecutionRow } from "../../store/rows.ts";
import { assertTransition, executionStates } from "../../store/states.ts";
import type { QueuedExecution, Snapshot } from "../../store/store.ts";
import { ownTurn } from "../rows/own-turn.ts";
import { createEventWriter } from "../rows/event-writer.ts";
import { startExecution } from "../rows/start.ts";
import { currentState } from "../rows/state.ts";
import { turnResult } from "../rows/turn-result.ts";
import { hasNews, isInboxConflict } from "../turn/inbox.ts";
import { initialTurn } from "../turn/turn-state.ts";
import type { DriveTarget } from "./drive-target.ts";
import type { DriverOptions, StartedWork } from "./driver-options.ts";
import { definitionMissing, goneDefinition } from "./gone-definition.ts";
import { resumeWork, timeWaited } from "./resume.ts";
import { isOutage } from "../turn/turn-errors.ts";

/** The next turn, begun or resumed under the lease; nothing when none can run now. */
export async function nextWork(
  options: DriverOptions,
  target: DriveTarget,
  lease: Lease,
): Promise<StartedWork | undefined> {
  for (;;) {
    try {
      return await takeNext(options, target, lease);
    } catch (error) {
      // Somebody wrote to the inbox in between: look again.
      if (!isInboxConflict(error)) throw error;
    }
  }
}

/** The turn that is to run next: one that was cut off, one that people have moved on, or the first in the queue. */
async function takeNext(options: DriverOptions, target: DriveTarget, lease: Lease): Promise<StartedWork | undefined> {
  const { store, turns, clock, telemetry } = options;
  const seen = await store.load(target.tenant, { contextId: target.contextId });
  if (seen?.active !== undefined) return resume(options, target, lease, seen);
  const queued = seen?.queued[0];
  if (seen === undefined || queued === undefined) return nothingToRun(options, target);
  if (queued.execution.cancelRequestedAt !== null) {
    await cancelQueued(options, target, lease, queued, seen.context);
    return takeNext(options, target, lease);
  }
  const definition = options.definition(queued.execution.definition);
  if (definition === undefined) return leaveAlone(options, target, queued.execution.definition);
  const context = currentState(definition, seen.context);
  const { cancelRequestedAt: _at, cancelRequest: _request, ...row } = queued.execution;
  const turnSpan = telemetry.turn(target.tenant, row);
  const execution = { ...row, correlation: turnSpan.correlation };
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
    telemetry: turnSpan,
    resumed: false,
    steered: start.attached.map((item) => ({ item, iteration: 0 })),
    inboxSeq: committed.inboxSeq,
    waitedMs: 0,
    handedOver: [],
    ...(seen.queued.length === 1 ? { nothingQueuedAt: committed.inboxSeq } : {}),
  };
}

/** A turn that was cancelled before it ran: it has a trigger and no reaction. */
async function cancelQueued(
  options: DriverOptions,
  target: DriveTarget,
  lease: Lease,
  { execution: row, attached }: QueuedExecution,
  { seq, inboxSeq }: Pick<ContextRow, "seq" | "inboxSeq">,
): Promise<void> {
  const { store, turns, clock, telemetry } = options;
  const at = clock.now();
  const { cancelRequestedAt: _at, cancelRequest, ...queued } = row;
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
  const released =
    cancelRequest?.joined === true ? [] : attached.flatMap((item) => ownTurn(target.tenant, item, at) ?? []);
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
    // The inbox is checked too: a message that joins at this moment must not be overlooked.
    { fence: lease.fence, expectedSeq: seq, expectedInboxSeq: inboxSeq },
    {
      context: { updatedAt: at },
      executions: [execution, ...released.map((own) => own.execution)],
      ...(released.length > 0 && {
        items: released.map(({ item }) => item),
        triggers: released.map(({ trigger }) => trigger),
      }),
      events: writer.events,
    },
  );
  for (const event of writer.events) turns.publish(event);
  telemetry.neverRan(execution);
  turns.end(execution.id, { result: turnResult(execution, [], []) });
}

async function resume(
  options: DriverOptions,
  target: DriveTarget,
  lease: Lease,
  seen: Snapshot,
): Promise<StartedWork | undefined> {
  const { store, clock, telemetry, stuck } = options;
  const active = seen.active!;
  const known = options.definition(active.execution.definition);
  // A turn that is given up needs no definition.
  const onlyCancel = known === undefined && active.execution.cancelRequestedAt !== null;
  if (known === undefined && !onlyCancel) return leaveAlone(options, target, active.execution.definition);
  const definition = known ?? goneDefinition(active.execution.definition);
  if (active.execution.status === "waiting" && !hasNews(active, clock.now())) return nothingToRun(options, target);
  const snapshot = await store.takeOver(target.tenant, target.contextId, lease.fence);
  if (snapshot.active === undefined) return takeNext(options, target, lease);
  const afterOutage = isOutage(stuck.get(target)?.error);
  const work = resumeWork(snapshot, snapshot.active, definition, { afterOutage });
  if (Number.isFinite(definition.policy.maxDurationMs))
    work.waitedMs = await timeWaited(store, target.tenant, snapshot.active, clock.now());
  const turnSpan = telemetry.turn(
    target.tenant,
    work.rows.execution,
    snapshot.active.execution.status === "waiting" ? "decision" : "cut-off",
  );
  work.rows.execution = { ...work.rows.execution, correlation: turnSpan.correlation };
  return { ...work, telemetry: turnSpan, onlyCancel };
}

function nothingToRun({ stuck }: DriverOptions, target: DriveTarget): undefined {
  stuck.remove(target);
  return undefined;
}

function leaveAlone({ logger, stuck, clock }: DriverOptions, target: DriveTarget, name: string): undefined {
  logger.warn("This process has no definition of that name and leaves its turns alone.", { definition: name });
  stuck.add(target, definitionMissing(name), { at: clock.now(), retries: false });
  return undefined;
}
