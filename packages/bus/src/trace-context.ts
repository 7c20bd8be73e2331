/** The W3C trace context that a message travels with. */
export interface TraceContext {
  /** The `traceparent` header. */
  traceparent: string;
  /** The `tracestate` header. */
  tracestate?: string;
}
