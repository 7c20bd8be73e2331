import { AsyncLocalStorage } from "node:async_hooks";
import {
  context,
  metrics,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  type Context,
  type ContextManager,
} from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type DataPoint,
  type Histogram,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";

/** The host's part: an SDK keeps the running span in an `AsyncLocalStorage`. */
export function asyncContextManager(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (within, fn, thisArg, ...args) => storage.run(within, () => fn.call(thisArg as never, ...args)),
    bind: (_within, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}

/** A span as a test reads it. */
export interface Seen {
  name: string;
  /** The name of its parent; `remote` when the parent is not among the spans. */
  parent: string | undefined;
  /** `error.type` of a failed one. */
  failed: string | undefined;
}

/** A point of a metric. */
export interface SeenPoint {
  name: string;
  labels: Record<string, unknown>;
  /** Of a histogram: the sum of what was recorded. */
  value: number;
  /** Of a histogram: how many were recorded. */
  count: number;
}

/** The real SDK, registered for this test file, with exporters in memory. */
export function recordTelemetry() {
  const exporter = new InMemorySpanExporter();
  const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  context.setGlobalContextManager(asyncContextManager());
  const provider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 })],
  });
  metrics.setGlobalMeterProvider(provider);

  const all = () => exporter.getFinishedSpans();
  return {
    tracer: trace.getTracer("host"),
    spans: all,
    named: (name: string): ReadableSpan[] => all().filter((span) => span.name === name),
    /** In the order of their ends. */
    shape: (spans: readonly ReadableSpan[] = all()): Seen[] =>
      spans.map(({ name, parentSpanContext, status, attributes }) => ({
        name,
        parent:
          parentSpanContext === undefined
            ? undefined
            : (spans.find((other) => other.spanContext().spanId === parentSpanContext.spanId)?.name ?? "remote"),
        failed: status.code === SpanStatusCode.ERROR ? String(attributes["error.type"]) : undefined,
      })),
    traces: () => new Set(all().map((span) => span.spanContext().traceId)),
    reset: () => exporter.reset(),
    /** Everything that was ever measured in this test file. */
    async points(): Promise<SeenPoint[]> {
      measured.reset();
      await provider.forceFlush();
      return measured
        .getMetrics()
        .flatMap(({ scopeMetrics }) =>
          scopeMetrics.flatMap((scope) =>
            scope.metrics.flatMap(({ descriptor, dataPoints }) =>
              (dataPoints as DataPoint<number | Histogram>[]).map(({ attributes, value }) =>
                toPoint(descriptor.name, attributes, value),
              ),
            ),
          ),
        );
    },
    async close(): Promise<void> {
      trace.disable();
      context.disable();
      metrics.disable();
      await provider.shutdown();
    },
  };
}

function toPoint(name: string, labels: Record<string, unknown>, value: number | Histogram): SeenPoint {
  return typeof value === "number"
    ? { name, labels, value, count: 1 }
    : { name, labels, value: value.sum ?? 0, count: value.count };
}
