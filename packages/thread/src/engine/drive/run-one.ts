import { errorCode, errorMessage, HebraError, withFields } from "@hebra/core";
import type { Lease } from "@hebra/lock";
import { logFieldsOf } from "../../telemetry/attributes.ts";
import { compact } from "../prompt/compact.ts";
import { turnResult } from "../rows/turn-result.ts";
import type { TurnEnd, TurnWork } from "../turn/running-turn.ts";
import { runTurn } from "../turn/turn.ts";
import type { DriverOptions, DriveTarget } from "./driver-options.ts";

/** Runs a turn that has begun until it ends, waits for people or is given up in this process. */
export function runOne(options: DriverOptions, target: DriveTarget, lease: Lease, work: TurnWork): Promise<TurnEnd> {
  return work.telemetry.run(() => runInSpan(options, target, lease, work));
}

async function runInSpan(options: DriverOptions, target: DriveTarget, lease: Lease, work: TurnWork): Promise<TurnEnd> {
  const { store, turns, clock, logger, closed } = options;
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
