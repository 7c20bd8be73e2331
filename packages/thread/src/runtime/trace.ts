import type { JsonObject, Telemetry } from "@hebra/core";
import type { TraceContext } from "@hebra/bus";
import { traceOf } from "../telemetry/attributes.ts";

/** The trace that runs, as a message carries it. */
export function currentTrace(telemetry: Telemetry): { trace?: TraceContext } {
  return traceMember(telemetry.inject());
}

/** The trace of a stored turn, as its replies carry it. */
export function storedTrace(correlation: JsonObject): { trace?: TraceContext } {
  return traceMember(traceOf(correlation) ?? {});
}

function traceMember({ traceparent, tracestate }: { traceparent?: string; tracestate?: string }): {
  trace?: TraceContext;
} {
  return traceparent === undefined
    ? {}
    : { trace: { traceparent, ...(tracestate === undefined ? {} : { tracestate }) } };
}

/**
 * Runs a function inside a message's trace. One without a trace begins a new one, whatever happens to run here: a
 * worker may
 * have been started, and a mailbox woken, by anybody.
 */
export function insideTrace<T>(telemetry: Telemetry, trace: TraceContext | undefined, fn: () => T): T {
  return telemetry.extract(trace === undefined ? null : { ...trace }, fn);
}
