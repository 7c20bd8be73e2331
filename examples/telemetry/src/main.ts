import assert from "node:assert";
import { createEngine, defineAction, defineThread } from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { memoryStore } from "@hebra/thread/store/memory";
import { metrics, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import * as z from "zod";

// #region register
// Once in a process, before or after Hebra is loaded. In memory here; in production, exporters of your backend.
const spans = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const meters = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: measured })] });
metrics.setGlobalMeterProvider(meters);
// #endregion

const desk = defineThread({
  name: "desk",
  actions: {
    find_order: defineAction({
      description: "Finds an order.",
      input: z.object({ number: z.string() }),
      effect: "read",
      execute: ({ number }) => ({ number, status: "shipped" }),
    }),
  },
  reactor: scriptedReactor({
    steps: [
      {
        actions: [{ name: "find_order", input: { number: "A-7" } }],
        usage: { inputTokens: 40, outputTokens: 9, provider: "openai", model: "gpt-5-mini" },
      },
      { text: "It has shipped.", usage: { inputTokens: 60, outputTokens: 5, provider: "openai", model: "gpt-5-mini" } },
    ],
  }),
});
const store = memoryStore();

// #region turn
const engine = createEngine({ store, threads: [desk] }); // nothing to switch on
const trigger = { id: "message-1", text: "Where is A-7?", correlation: { runId: "workflow-9" } };
const turn = await engine.react(desk, trigger, { address: { key: "customer-42" } });
await turn.result;
await engine.close();
// #endregion

const seen = spans.getFinishedSpans();
for (const { name, attributes } of seen)
  console.log(name, attributes["hebra.execution.id"], attributes["hebra.run.id"]);
assert.deepEqual(
  seen.map(({ name }) => name),
  ["chat gpt-5-mini", "execute_tool find_order", "chat gpt-5-mini", "invoke_agent desk"],
);
assert.ok(
  seen.every(
    ({ attributes }) =>
      attributes["hebra.execution.id"] === turn.executionId && attributes["hebra.run.id"] === "workflow-9",
  ),
);
assert.ok(!JSON.stringify(seen.map(({ attributes, events }) => [attributes, events])).includes("A-7"));
await meters.forceFlush();
const names = measured
  .getMetrics()
  .flatMap(({ scopeMetrics }) =>
    scopeMetrics.flatMap((scope) => scope.metrics.map(({ descriptor }) => descriptor.name)),
  );
assert.ok(names.includes("gen_ai.client.token.usage"));
spans.reset();

// #region content
const talkative = createEngine({ store, threads: [desk], telemetry: { content: { allowKeys: ["number", "status"] } } });
// #endregion
await (
  await talkative.react(desk, { id: "message-2", text: "And A-7?" }, { address: { key: "customer-42" } })
).result;
await talkative.close();
const [call] = spans.getFinishedSpans().filter(({ name }) => name === "execute_tool find_order");
assert.equal(call?.attributes["gen_ai.tool.call.result"], JSON.stringify({ number: "A-7", status: "shipped" }));
await meters.shutdown();
