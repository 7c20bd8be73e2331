// An app that measures one of everything, to see under which names it is served.
import { createTelemetry } from "@hebra/core";
import { defineThread, threadMetrics } from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";

export const threads = [
  defineThread({ name: "echo", reactor: scriptedReactor({ steps: [{ text: "yes" }], repeatLast: true }) }),
];

const telemetry = createTelemetry({ name: "every-metric" });
for (const { name, kind, unit, labels } of Object.values(threadMetrics)) {
  const all = Object.fromEntries(labels.map((label) => [label, `${label} here`]));
  if (kind === "counter") telemetry.counter(name, { unit }).add(1, all);
  else telemetry[kind](name, { unit }).record(1, all);
}
