import {
  errorCode,
  genAi,
  genAiOperations,
  hebraAttributes,
  type Clock,
  type HebraError,
  type Telemetry,
  type TraceCarrier,
} from "@hebra/core";
import type { ExecutionRow } from "../store/rows.ts";
import { startActionCall } from "./action-call.ts";
import { placeOf, traceOf, withTrace } from "./attributes.ts";
import type { ContentWriter } from "./content.ts";
import { createEngineMeter, type EngineMeter } from "./engine-meter.ts";
import { noTelemetry, type EngineTelemetry, type ResumeCause, type TurnTelemetry } from "../engine/engine-telemetry.ts";
import { meteredLocks } from "./metered-locks.ts";
import { startModelCall } from "./model-call.ts";
import { createTurnParts, type TurnScope } from "./turn-scope.ts";

/** What the telemetry of an engine is made of. */
export interface EngineTelemetryParts {
  telemetry: Telemetry;
  meter: EngineMeter;
  content: ContentWriter | undefined;
  clock: Clock;
}

/** Spans and metrics of an engine's turns; nothing at all where OpenTelemetry is not installed. */
export function createEngineTelemetry(options: {
  telemetry: Telemetry;
  content: ContentWriter | undefined;
  clock: Clock;
}): EngineTelemetry {
  const { telemetry } = options;
  if (!telemetry.enabled) return noTelemetry;
  const parts = { ...options, meter: createEngineMeter(telemetry) };
  const { meter, clock } = parts;
  return {
    locks: (locks) => meteredLocks(locks, meter, clock),
    caused: (correlation) => ("trace" in correlation ? correlation : withTrace(correlation, telemetry.inject())),
    turn: (tenant, execution, resumed) => startTurn(parts, tenant, execution, resumed),
    neverRan: (execution) => recordExecution(meter, execution),
    duplicate: (definition) => meter.duplicates.add(1, { [hebraAttributes.definition]: definition }),
    injected: (definition, policy) => meter.injections.add(1, { [hebraAttributes.definition]: definition, policy }),
    failed(error) {
      const code = errorCode(error);
      if (code === "STALE_FENCE" || (code === "VERSION_CONFLICT" && !(error as HebraError).details["inbox"]))
        meter.fenceRejected.add(1, { [genAi.errorType]: code });
    },
  };
}

function startTurn(
  { telemetry, meter, content, clock }: EngineTelemetryParts,
  tenant: string,
  execution: ExecutionRow,
  resumed: ResumeCause | undefined,
): TurnTelemetry {
  const { definition } = execution;
  const place = placeOf(tenant, execution);
  const startedAt = clock.monotonic();
  const span = telemetry.startSpan(`invoke_agent ${definition}`, {
    ...parentOf(telemetry, execution),
    attributes: {
      ...place,
      [genAi.operationName]: genAiOperations.invokeAgent,
      [hebraAttributes.resumed]: resumed !== undefined,
      [hebraAttributes.attempt]: Math.max(1, execution.attempt),
    },
  });
  const parts = createTurnParts();
  const scope: TurnScope = { telemetry, meter, content, clock, parent: span, place, definition, parts };
  let stepStartedAt = startedAt;
  if (resumed !== undefined) meter.resumes.add(1, { [hebraAttributes.definition]: definition, cause: resumed });

  function leave(outcome: string, failure: string | undefined): void {
    parts.cutOff();
    meter.invokeAgentDuration.record((clock.monotonic() - startedAt) / 1000, {
      [genAi.agentName]: definition,
      [hebraAttributes.outcome]: outcome,
      [genAi.errorType]: failure,
    });
    span.setAttributes({ [hebraAttributes.outcome]: outcome });
    if (failure !== undefined) span.fail(failure);
    span.end();
  }

  return {
    // A turn that was begun elsewhere keeps the trace that it has: all who take it up are children of the first.
    correlation:
      resumed === undefined || traceOf(execution.correlation) === undefined
        ? withTrace(execution.correlation, span.carrier())
        : execution.correlation,
    run: (fn) => span.run(fn),
    modelCall: (reactor, input) => startModelCall(scope, reactor, input),
    asked(calls) {
      for (const { request, disposition, error } of calls) {
        if (disposition !== "refused" && disposition !== "failed") continue;
        const type = error?.code ?? "ACTION_FAILED";
        // A name that no action has is the model's invention, and would be a label without bound.
        meter.actionErrors.add(1, {
          [genAi.agentName]: definition,
          [genAi.toolName]: type === "ACTION_NOT_FOUND" ? "_OTHER" : request.name,
          [genAi.errorType]: type,
        });
      }
    },
    actionCall: (call, spec) => startActionCall(scope, call, spec),
    settled({ name }, { status, error }) {
      if (status === "failed" || status === "interrupted")
        meter.actionErrors.add(1, {
          [genAi.agentName]: definition,
          [genAi.toolName]: name,
          [genAi.errorType]: error?.code ?? "ACTION_FAILED",
        });
    },
    retried: (of) => meter.retries.add(1, { of }),
    stepEnded(outcome) {
      const now = clock.monotonic();
      meter.stepDuration.record((now - stepStartedAt) / 1000, {
        [hebraAttributes.definition]: definition,
        [hebraAttributes.outcome]: outcome,
      });
      stepStartedAt = now;
    },
    ended(ended) {
      const { status, outcome, error, usage } = ended;
      span.setAttributes({ [hebraAttributes.reason]: outcome ?? undefined });
      if (ended.endedAt !== null) {
        span.setAttributes({
          [genAi.usageInputTokens]: usage.inputTokens,
          [genAi.usageOutputTokens]: usage.outputTokens,
          [hebraAttributes.costUsd]: usage.costUsd,
        });
        recordExecution(meter, ended);
      }
      if (content !== undefined && status === "failed" && error !== null)
        span.addEvent("exception", { "exception.type": error.code, "exception.message": content.words(error.message) });
      leave(status, status === "failed" ? (error?.code ?? "INTERNAL") : undefined);
    },
    givenUp: (error) => leave("given-up", errorCode(error) ?? "INTERNAL"),
  };
}

/**
 * Under what a turn hangs: the span that it was caused by or began with, else nothing. What happens to run at the
 * moment is no
 * cause: one caller's process may well work off another's turn.
 */
function parentOf(telemetry: Telemetry, { correlation }: ExecutionRow): { parent?: TraceCarrier | null } {
  const trace = traceOf(correlation);
  if (trace === undefined) return { parent: null };
  // The very span that runs here: as it is, with all that the host has put beside it.
  return telemetry.inject()["traceparent"] === trace["traceparent"] ? {} : { parent: trace };
}

function recordExecution(meter: EngineMeter, { definition, status, createdAt, endedAt }: ExecutionRow): void {
  if (endedAt !== null)
    meter.executionDuration.record(Math.max(0, endedAt - createdAt) / 1000, {
      [hebraAttributes.definition]: definition,
      [hebraAttributes.outcome]: status,
    });
}
