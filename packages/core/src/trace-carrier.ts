/**
 * A span's identity as JSON: W3C `traceparent` and `tracestate`, and what else the host's propagator adds. Survives
 * queues, rows and crashes.
 */
export type TraceCarrier = { [header: string]: string };

/** The parts of a `traceparent`. */
export interface TraceParent {
  traceId: string;
  spanId: string;
  flags: number;
}

const MAX_TRACE_STATE = 512;

/** Writes a `traceparent` (W3C Trace Context, level 1, section 3.2). */
export function formatTraceParent({ traceId, spanId, flags }: TraceParent): string {
  return `00-${traceId}-${spanId}-${(flags & 0xff).toString(16).padStart(2, "0")}`;
}

/**
 * Reads a `traceparent`. Later versions are read as far as version 00 goes, as the standard asks; what is malformed
 * gives `undefined`.
 */
export function parseTraceParent(text: unknown): TraceParent | undefined {
  if (typeof text !== "string" || text.length > 256) return undefined;
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text.trim());
  if (match === null) return undefined;
  const [, version, traceId, spanId, flags, more] = match;
  if (version === "ff" || (version === "00" && more !== undefined) || /^0+$/.test(traceId!) || /^0+$/.test(spanId!))
    return undefined;
  return { traceId: traceId!, spanId: spanId!, flags: Number.parseInt(flags!, 16) };
}

/** A `tracestate` that is short enough to pass on, else `undefined`. */
export function usableTraceState(text: unknown): string | undefined {
  return typeof text === "string" && text !== "" && text.length <= MAX_TRACE_STATE ? text : undefined;
}
