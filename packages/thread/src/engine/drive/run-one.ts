import { errorCode, errorMessage, HebraError, withFields } from "@hebra/core";
import type { Lease } from "@hebra/lock";
import { logFieldsOf } from "../log-fields.ts";
import { compact } from "../prompt/compact.ts";
import { turnResult } from "../rows/turn-result.ts";
import type { TurnEnd, TurnEnvironment, TurnWork } from "../turn/running-turn.ts";
import { runTurn } from "../turn/turn.ts";
import type { DriveTarget } from "./drive-target.ts";
import type { DriverOptions } from "./driver-options.ts";
import { goneDefinition } from "./gone-definition.ts";
import { resumeWork } from "./resume.ts";
import { deleted, documented, isDeleted, isResumedHere } from "../turn/turn-errors.ts";

/**
 * Runs a turn that has begun until it ends, waits for people or is given up in this process.
 *
 * @param goesOn - whether this process resumes the turn by itself after a failure that passes
 */
export function runOne(
  options: DriverOptions,
  target: DriveTarget,
  lease: Lease,
  work: TurnWork,
  goesOn: boolean,
): Promise<TurnEnd> {
  return work.telemetry.run(() => runInSpan(options, target, lease, work, goesOn));
}

async function runInSpan(
  options: DriverOptions,
  target: DriveTarget,
  lease: Lease,
  work: TurnWork,
  goesOn: boolean,
): Promise<TurnEnd> {
  const { turns } = options;
  const { execution } = work.rows;
  turns.begin(execution.id);
  try {
    const end = await runTurn(await environmentOf(options, target, work), work);
    work.telemetry.ended(end.rows.execution);
    turns.end(execution.id, { result: turnResult(end.rows.execution, end.rows.parts, end.rows.approvals) });
    return end;
  } catch (error) {
    withFields(options.logger, logFieldsOf(target.tenant, execution)).warn(
      "A turn was given up in this process and will be resumed.",
      { code: errorCode(error) ?? null, error: errorMessage(error), fence: lease.fence },
    );
    return giveUpWork(options, work, error, goesOn);
  }
}

async function environmentOf(options: DriverOptions, target: DriveTarget, work: TurnWork): Promise<TurnEnvironment> {
  const { execution } = work.rows;
  const definition = options.definition(execution.definition) ?? goneDefinition(execution.definition);
  const { clock, random, historyItems, settleWindowMs, maxAttempts, answerLimits, readFile, blobs, patient } = options;
  return {
    tenant: target.tenant,
    threadKey: target.threadKey,
    store: options.store,
    definition,
    reactor: await options.reactor(definition),
    clock,
    random,
    logger: withFields(options.logger, logFieldsOf(target.tenant, execution)),
    historyItems,
    settleWindowMs,
    maxAttempts,
    answerLimits,
    readFile,
    blobs,
    patient,
    publish: (event) => options.turns.publish(event),
    flush: (executionId) => options.turns.flush(executionId),
    outgoing: options.outgoing && ((rows) => options.outgoing!(target, rows)),
    lastFailure: options.stuck.get(target)?.error,
    async reload(executionId, fence) {
      const snapshot = await options.store.takeOver(target.tenant, target.contextId, fence);
      if (snapshot.active?.execution.id !== executionId) return undefined;
      return resumeWork(snapshot, snapshot.active, definition);
    },
  };
}

/**
 * Leaves a turn unfinished in the store. Whoever waits for its result waits on while this process goes on with it, and
 * is told otherwise.
 *
 * @throws the error
 */
export function giveUpWork(
  { turns, closed }: DriverOptions,
  work: Pick<TurnWork, "rows" | "telemetry">,
  error: unknown,
  goesOn: boolean,
): never {
  const { id } = work.rows.execution;
  work.telemetry.givenUp(error);
  if (closed.aborted)
    turns.end(id, {
      error: new HebraError("CLOSED", "The engine was closed before the turn ended; it will be resumed.", {
        retryable: true,
      }),
    });
  else if (goesOn && isResumedHere(error)) turns.leave(id);
  else turns.end(id, { error: isDeleted(error) ? deleted(id, error) : documented(error) });
  throw error;
}

/** Keeps the history short for the model, where the definition says how. */
export async function sumUp(
  options: DriverOptions,
  { tenant, threadKey, contextId }: DriveTarget,
  { fence }: Lease,
  { rows }: TurnEnd,
  signal: AbortSignal,
): Promise<void> {
  const { store, turns, clock, logger } = options;
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
