import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";
import type { Context, ContextManager } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { HebraError } from "./errors.ts";
import { createTelemetry } from "./telemetry.ts";
import type { Telemetry, TelemetrySpan } from "./telemetry-port.ts";
import { genAi, genAiMetrics, genAiOperations, hebraAttributes } from "./telemetry-names.ts";
import { noopTelemetry } from "./telemetry-noop.ts";
import { otelTelemetry, type OpenTelemetryApi } from "./telemetry-otel.ts";

// As the helper itself loads it.
const api = createRequire(import.meta.url)("@opentelemetry/api") as OpenTelemetryApi;
const { context, metrics, propagation, ROOT_CONTEXT, trace } = api;

/** The host's part: an SDK keeps the running span in an `AsyncLocalStorage`. */
function asyncContextManager(): ContextManager {
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

const exporter = new InMemorySpanExporter();
const telemetry = createTelemetry({ name: "@hebra/test", version: "1.2.3" });
const spans = () => exporter.getFinishedSpans();
const named = (name: string) => spans().find((span) => span.name === name)!;

beforeAll(() => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  context.setGlobalContextManager(asyncContextManager());
});
afterEach(() => exporter.reset());
afterAll(() => {
  trace.disable();
  context.disable();
  metrics.disable();
});

describe("spans", () => {
  test("carry scope, kind and attributes, nest across awaits, and end with their work", async () => {
    const attributes = {
      [genAi.operationName]: genAiOperations.invokeAgent,
      [genAi.responseFinishReasons]: ["stop"],
      [hebraAttributes.executionId]: undefined,
    };
    const value = await telemetry.span("invoke_agent desk", { attributes }, async () => {
      await Promise.resolve();
      return telemetry.span("chat m", { kind: "client" }, (span) => {
        span.setAttributes({ [genAi.usageInputTokens]: 7 });
        span.addEvent("first chunk");
        return 42;
      });
    });
    expect(value).toBe(42);
    const [inner, outer] = [named("chat m"), named("invoke_agent desk")];
    expect(inner.parentSpanContext?.spanId).toBe(outer.spanContext().spanId);
    expect(inner).toMatchObject({
      kind: api.SpanKind.CLIENT,
      attributes: { "gen_ai.usage.input_tokens": 7 },
      events: [{ name: "first chunk" }],
      instrumentationScope: { name: "@hebra/test", version: "1.2.3" },
    });
    expect(outer).toMatchObject({
      kind: api.SpanKind.INTERNAL,
      attributes: { "gen_ai.operation.name": "invoke_agent", "gen_ai.response.finish_reasons": ["stop"] },
    });
    expect(Object.keys(outer.attributes)).not.toContain("hebra.execution.id");
  });

  test("record an error without its secrets, and pass it on", async () => {
    const failure = new HebraError("REACTOR_FAILED", "Upstream said token=S3CR3T.");
    await expect(telemetry.span("a", {}, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(() =>
      telemetry.span("b", {}, () => {
        throw new TypeError("Bearer S3CR3T");
      }),
    ).toThrow(TypeError);
    expect(named("a")).toMatchObject({
      status: { code: api.SpanStatusCode.ERROR },
      attributes: { "error.type": "REACTOR_FAILED" },
      events: [{ name: "exception" }],
    });
    expect(named("b").attributes["error.type"]).toBe("TypeError");
    const written = spans()
      .map(({ status, attributes, events }) => JSON.stringify({ status, attributes, events }))
      .join();
    expect(written).not.toContain("S3CR3T");
  });

  test("fail with a class of error alone, and take a better name", () => {
    const span = telemetry.startSpan("chat");
    expect(span.recording).toBe(true);
    span.fail("REACTOR_FAILED");
    span.rename("chat m");
    span.end();
    expect(named("chat m")).toMatchObject({
      status: { code: api.SpanStatusCode.ERROR },
      attributes: { "error.type": "REACTOR_FAILED" },
      events: [],
    });
    expect(named("chat m").status.message).toBeUndefined();
  });

  test("end once, also when ended by hand", () => {
    const span = telemetry.startSpan("manual");
    span.end();
    span.end();
    expect(spans()).toHaveLength(1);
  });

  test("begin a new trace for parent null, and become children of a given span outside of it", () => {
    const first = telemetry.startSpan("first");
    telemetry.startSpan("child", { parent: first }).end();
    first.run(() => telemetry.startSpan("alone", { parent: null }).end());
    first.end();
    expect(named("child").parentSpanContext?.spanId).toBe(named("first").spanContext().spanId);
    expect(named("alone").parentSpanContext).toBeUndefined();
    expect(named("alone").spanContext().traceId).not.toBe(named("first").spanContext().traceId);
  });
});

describe("carriers", () => {
  test("go on with a trace through JSON, with no propagator registered", () => {
    const before = telemetry.startSpan("before crash");
    const row = JSON.stringify(before.carrier());
    before.end();
    telemetry.extract(JSON.parse(row) as Record<string, string>, () =>
      telemetry.span("resumed", {}, () => expect(telemetry.inject()["traceparent"]).toMatch(/^00-/)),
    );
    telemetry
      .startSpan("linked", {
        parent: null,
        links: [JSON.parse(row) as Record<string, string>, before, undefined, {}, { traceparent: "junk" }],
      })
      .end();
    const { traceId, spanId } = named("before crash").spanContext();
    expect(named("resumed").spanContext().traceId).toBe(traceId);
    expect(named("resumed").parentSpanContext).toMatchObject({ spanId, isRemote: true });
    expect(named("linked").links.map((link) => link.context.spanId)).toEqual([spanId, spanId]);
  });

  test("run a function outside of any span", () => {
    telemetry.span("host", {}, () => {
      expect(telemetry.extract(null, () => telemetry.inject())).toEqual({});
      expect(telemetry.extract(undefined, () => telemetry.inject())).not.toEqual({});
    });
    expect(telemetry.extract(null, () => 42)).toBe(42);
  });

  test("carry tracestate and the sampling decision", () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    telemetry.extract({ traceparent, tracestate: "vendor=a:b" }, () => {
      expect(telemetry.inject()).toEqual({ traceparent, tracestate: "vendor=a:b" });
      const unsampled = telemetry.startSpan("unsampled");
      expect(unsampled.recording).toBe(false);
      unsampled.end();
    });
    expect(spans()).toEqual([]);
  });

  test.each([
    "",
    "junk",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
  ])("that cannot be read change nothing: %j", (traceparent) => {
    expect(telemetry.extract({ traceparent }, () => telemetry.inject())).toEqual({});
  });

  test("use the host's propagator when there is one", () => {
    propagation.setGlobalPropagator({
      inject: (_context, carrier) => void Object.assign(carrier as object, { "x-own": "1" }),
      extract: (from) => from,
      fields: () => ["x-own"],
    });
    const carrier = telemetry.startSpan("own").carrier();
    propagation.disable();
    expect(carrier).toMatchObject({ "x-own": "1", traceparent: expect.stringMatching(/^00-/) });
  });
});

test("metrics made before an SDK is registered reach it afterwards", async () => {
  const counter = telemetry.counter("hebra.retries", { unit: "{token}", description: "Tokens." });
  counter.add(1);
  const memory = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const provider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter: memory, exportIntervalMillis: 3_600_000 })],
  });
  metrics.setGlobalMeterProvider(provider);
  counter.add(5, { [genAi.requestModel]: "m" });
  counter.add(2, { [genAi.requestModel]: "m" });
  telemetry.histogram(genAiMetrics.invokeAgentDuration, { unit: "s", boundaries: [1, 2] }).record(1.5);
  telemetry.gauge("hebra.queue.depth").record(3);
  await provider.forceFlush();
  const found = memory.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const point = (name: string) => found.find(({ descriptor }) => descriptor.name === name)?.dataPoints[0];
  expect(point("hebra.retries")).toMatchObject({ value: 7, attributes: { "gen_ai.request.model": "m" } });
  expect(point(genAiMetrics.invokeAgentDuration)?.value).toMatchObject({ count: 1, buckets: { boundaries: [1, 2] } });
  expect(point("hebra.queue.depth")?.value).toBe(3);
  await provider.shutdown();
});

describe("without OpenTelemetry", () => {
  const shape = (value: object) =>
    Object.entries(value)
      .map(([key, member]) => `${key}:${typeof member}`)
      .sort();
  const real = otelTelemetry(api, "x", undefined);
  const members = (one: Telemetry) => [
    shape(one),
    shape(one.startSpan("x")),
    shape(one.counter("c")),
    shape(one.histogram("h")),
    shape(one.gauge("g")),
  ];

  test("the stand-in has the same shape", () => {
    const bare = (shapes: string[][]) =>
      shapes.map((keys, i) =>
        i < 2 ? keys : keys.filter((key) => key === (i === 2 ? "add:function" : "record:function")),
      );
    expect(bare(members(noopTelemetry))).toEqual(bare(members(real)));
    expect([noopTelemetry.enabled, real.enabled]).toEqual([false, true]);
    expect(createTelemetry({ name: "x", enabled: false })).toBe(noopTelemetry);
  });

  test("it runs what it is given and nothing else", async () => {
    const use = (span: TelemetrySpan) => {
      span.setAttributes({ a: 1 });
      span.addEvent("e");
      span.recordError(new Error("x"));
      span.fail("x");
      span.rename("y");
      span.end();
      return span.run(() => 42);
    };
    expect(noopTelemetry.span("a", {}, use)).toBe(42);
    await expect(noopTelemetry.span("a", {}, async () => Promise.reject(new Error("passed on")))).rejects.toThrow(
      "passed on",
    );
    expect(noopTelemetry.extract({ traceparent: "x" }, () => noopTelemetry.inject())).toEqual({});
    noopTelemetry.counter("c").add(1);
    noopTelemetry.histogram("h").record(1);
    noopTelemetry.gauge("g").record(1);
    expect(noopTelemetry.startSpan("s").carrier()).toEqual({});
  });

  test("options are checked", () => {
    expect(() => createTelemetry({ nam: "x" } as never)).toThrow("did you mean `name`?");
  });
});
