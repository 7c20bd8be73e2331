import type { TraceCarrier } from "./trace-carrier.ts";

/** What a span or a measurement says about itself. `undefined` members are left out. */
export type TelemetryAttributes = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** Where a span stands towards the outside: who waits for whom. */
export type SpanKind = "internal" | "client" | "server" | "producer" | "consumer";

/** A piece of work that is being timed. */
export interface TelemetrySpan {
  /**
   * Whether somebody keeps what is said to it: false where nothing records, or the sampler said no. What is costly to
   * say is left out then.
   */
  readonly recording: boolean;
  /** Adds attributes, also after the start. */
  setAttributes(attributes: TelemetryAttributes): void;
  /** Notes a moment within the span. */
  addEvent(name: string, attributes?: TelemetryAttributes): void;
  /** Marks the span as failed: status, `error.type` and an `exception` event, its texts without secrets. */
  recordError(error: unknown): void;
  /**
   * Marks the span as failed and says no more than what class of error it was: for errors whose texts hold content.
   * @param type - low-cardinality, e.g. an error code
   */
  fail(type: string): void;
  /** Another name, once it is known better. Samplers see the first one alone. */
  rename(name: string): void;
  /** Runs a function inside the span, so that spans which know no parent become its children. */
  run<T>(fn: () => T): T;
  /** The span's identity as JSON, to go on with the trace elsewhere or later; empty when nothing records. */
  carrier(): TraceCarrier;
  /** Ends the span. Only the first call counts. */
  end(): void;
}

/** How a span begins. */
export interface SpanOptions {
  /** @defaultValue `"internal"` */
  kind?: SpanKind;
  /** @defaultValue none */
  attributes?: TelemetryAttributes;
  /** Spans that led to this one without being its parent: the turn before a crash, the messages of a batch. */
  links?: readonly (TelemetrySpan | TraceCarrier | undefined)[];
  /** The parent; `null` begins a new trace. @defaultValue the span that runs */
  parent?: TelemetrySpan | TraceCarrier | null;
}

/** How a metric describes itself. */
export interface MetricOptions {
  /** UCUM: `s`, `By`, `{token}`. */
  unit?: string;
  description?: string;
  /** Bounds of a histogram's buckets. */
  boundaries?: readonly number[];
}

/** A sum that only grows. Labels must be low-cardinality. */
export interface Counter {
  add(value: number, labels?: TelemetryAttributes): void;
}

/** A distribution. Labels must be low-cardinality. */
export interface Histogram {
  record(value: number, labels?: TelemetryAttributes): void;
}

/** Spans and metrics of one package. */
export interface Telemetry {
  /** Whether OpenTelemetry's API is installed. Nothing is recorded unless the host also registers an SDK. */
  readonly enabled: boolean;
  /**
   * Runs a function in a span of its own. The span ends when the function, or the promise it gives, does; an error is
   * recorded and passed on.
   */
  span<T>(name: string, options: SpanOptions, fn: (span: TelemetrySpan) => T): T;
  /** Starts a span that the caller ends. */
  startSpan(name: string, options?: SpanOptions): TelemetrySpan;
  /** The identity of the span that runs, as JSON: put it into a message or a row. */
  inject(): TraceCarrier;
  /**
   * Runs a function as if inside the span that a carrier names; for `null`, outside of any. A carrier that cannot be
   * read changes nothing.
   */
  extract<T>(carrier: TraceCarrier | null | undefined, fn: () => T): T;
  counter(name: string, options?: MetricOptions): Counter;
  histogram(name: string, options?: MetricOptions): Histogram;
  /** A value that goes up and down; the last one recorded counts. */
  gauge(name: string, options?: MetricOptions): Histogram;
}
