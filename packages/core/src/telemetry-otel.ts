import type * as Api from "@opentelemetry/api";
import { errorMessage, HebraError } from "./errors.ts";
import { redactText } from "./redact.ts";
import type {
  Counter,
  Histogram,
  MetricOptions,
  SpanOptions,
  Telemetry,
  TelemetryAttributes,
  TelemetrySpan,
} from "./telemetry-port.ts";
import { genAi } from "./telemetry-names.ts";
import { formatTraceParent, parseTraceParent, usableTraceState, type TraceCarrier } from "./trace-carrier.ts";

/** The module `@opentelemetry/api`. */
export type OpenTelemetryApi = typeof Api;

const KINDS = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 } as const satisfies Record<
  string,
  Api.SpanKind
>;
const MAX_TEXT = 4_096;

/** Telemetry over an installed API. */
export function otelTelemetry(api: OpenTelemetryApi, name: string, version: string | undefined): Telemetry {
  const { context, propagation, trace } = api;
  const contexts = new WeakMap<TelemetrySpan, Api.Context>();
  // Asked for at each use: an SDK may be registered after the packages are loaded.
  const tracer = () => trace.getTracer(name, version);

  const contextOf = (source: TelemetrySpan | TraceCarrier): Api.Context | undefined => {
    const known = contexts.get(source as TelemetrySpan);
    if (known !== undefined) return known;
    return isSpan(source) ? undefined : readCarrier(source);
  };

  const readCarrier = (carrier: TraceCarrier): Api.Context | undefined => {
    const parent = parseTraceParent(carrier["traceparent"]);
    const read = propagation.extract(api.ROOT_CONTEXT, carrier);
    if (trace.getSpanContext(read) !== undefined) return read;
    if (parent === undefined) return undefined;
    const state = usableTraceState(carrier["tracestate"]);
    return trace.setSpanContext(read, {
      traceId: parent.traceId,
      spanId: parent.spanId,
      traceFlags: parent.flags,
      isRemote: true,
      ...(state === undefined ? {} : { traceState: api.createTraceState(state) }),
    });
  };

  const writeCarrier = (from: Api.Context): TraceCarrier => {
    const carrier: TraceCarrier = {};
    propagation.inject(from, carrier);
    const span = trace.getSpanContext(from);
    // Without a registered propagator nothing was written; our own queues and rows must carry the trace all the same.
    if (span !== undefined && trace.isSpanContextValid(span) && carrier["traceparent"] === undefined) {
      carrier["traceparent"] = formatTraceParent({
        traceId: span.traceId,
        spanId: span.spanId,
        flags: span.traceFlags,
      });
      const state = usableTraceState(span.traceState?.serialize());
      if (state !== undefined) carrier["tracestate"] = state;
    }
    return carrier;
  };

  const start = (spanName: string, options: SpanOptions): TelemetrySpan => {
    const parent =
      options.parent === null ? api.ROOT_CONTEXT : (options.parent && contextOf(options.parent)) || context.active();
    const links = (options.links ?? []).flatMap((link) => {
      const found = link && contextOf(link);
      const linked = found && trace.getSpanContext(found);
      return linked === undefined ? [] : [{ context: linked }];
    });
    const attributes = clean(options.attributes);
    const span = tracer().startSpan(spanName, { kind: KINDS[options.kind ?? "internal"], attributes, links }, parent);
    const within = trace.setSpan(parent, span);
    const wrapped: TelemetrySpan = {
      recording: span.isRecording(),
      setAttributes: (more) => void span.setAttributes(clean(more)),
      addEvent: (event, more) => void span.addEvent(event, clean(more)),
      recordError: (error) => recordError(span, error),
      fail(type) {
        span.setAttribute(genAi.errorType, type);
        span.setStatus({ code: api.SpanStatusCode.ERROR });
      },
      rename: (next) => void span.updateName(next),
      run: (fn) => context.with(within, fn),
      carrier: () => writeCarrier(within),
      end: once(() => span.end()),
    };
    contexts.set(wrapped, within);
    return wrapped;
  };

  const recordError = (span: Api.Span, error: unknown): void => {
    const message = redactText(errorMessage(error).slice(0, MAX_TEXT));
    const type = errorType(error);
    const stack =
      error instanceof Error && typeof error.stack === "string"
        ? redactText(error.stack.slice(0, MAX_TEXT))
        : undefined;
    span.setAttribute(genAi.errorType, type);
    span.setStatus({ code: api.SpanStatusCode.ERROR, message });
    span.addEvent(
      "exception",
      clean({ "exception.type": type, "exception.message": message, "exception.stacktrace": stack }),
    );
  };

  return {
    enabled: true,
    span(spanName, options, fn) {
      const span = start(spanName, options);
      return settle(span, () => span.run(() => fn(span)));
    },
    startSpan: (spanName, options = {}) => start(spanName, options),
    inject: () => writeCarrier(context.active()),
    extract(carrier, fn) {
      if (carrier === null) return context.with(api.ROOT_CONTEXT, fn);
      const found = carrier === undefined ? undefined : readCarrier(carrier);
      return found === undefined ? fn() : context.with(found, fn);
    },
    counter: (metric, options) => instrument("createCounter", metric, options) as Counter,
    histogram: (metric, options) => instrument("createHistogram", metric, options) as Histogram,
    gauge: (metric, options) => instrument("createGauge", metric, options) as Histogram,
  };

  /** Made at the first measurement, for the same reason as the tracer; kept once a real meter made it. */
  function instrument(
    make: "createCounter" | "createHistogram" | "createGauge",
    metric: string,
    options: MetricOptions = {},
  ): Counter & Histogram {
    const { boundaries, ...described } = options;
    const advice = boundaries === undefined ? {} : { advice: { explicitBucketBoundaries: [...boundaries] } };
    let provider: unknown;
    let made: Partial<Api.Counter & Api.Histogram> | undefined;
    const current = () => {
      const now = api.metrics.getMeterProvider();
      if (made === undefined || now !== provider) {
        provider = now;
        made = now.getMeter(name, version)[make](metric, { ...described, ...advice }) as Partial<
          Api.Counter & Api.Histogram
        >;
      }
      return made;
    };
    return {
      add: (value, labels) => current().add?.(value, clean(labels)),
      record: (value, labels) => current().record?.(value, clean(labels)),
    };
  }
}

function settle<T>(span: TelemetrySpan, work: () => T): T {
  const fail = (error: unknown): never => {
    span.recordError(error);
    span.end();
    throw error;
  };
  let result: T;
  try {
    result = work();
  } catch (error) {
    return fail(error);
  }
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== "function") {
    span.end();
    return result;
  }
  return (result as unknown as PromiseLike<unknown>).then((value) => {
    span.end();
    return value;
  }, fail) as T;
}

function isSpan(source: TelemetrySpan | TraceCarrier): source is TelemetrySpan {
  return typeof source["run"] === "function";
}

function once(fn: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    fn();
  };
}

/** Low-cardinality by construction: a code or a class name, never a message. */
function errorType(error: unknown): string {
  if (HebraError.isInstance(error)) return error.code;
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]{1,63}$/.test(code)) return code;
  return error instanceof Error && typeof name === "string" ? redactText(name.slice(0, 64)) : "_OTHER";
}

function clean(attributes: TelemetryAttributes | undefined): Api.Attributes {
  const out: Api.Attributes = {};
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined) out[key] = typeof value === "object" ? [...value] : value;
  }
  return out;
}
