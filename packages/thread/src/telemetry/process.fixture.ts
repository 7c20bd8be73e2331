/**
 * A process of its own that runs turns with the real SDK. It writes each span down as it ends, so that what it told
 * before it
 * was killed can be read afterwards.
 */
import { appendFileSync } from "node:fs";
import { context, trace } from "@opentelemetry/api";
import { BasicTracerProvider, SimpleSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { redisBus } from "@hebra/bus/redis";
import { redisLocks } from "@hebra/lock/redis";
import { createEngine } from "../engine/engine.ts";
import { createRuntime } from "../runtime/runtime.ts";
import { sqliteStore } from "../store/sqlite.ts";
import { deskThread, writtenSpan, type Job } from "./desk.fixture.ts";
import { asyncContextManager } from "./telemetry.fixture.ts";

const job = JSON.parse(process.argv[2]!) as Job;

const exporter = {
  export(spans: ReadableSpan[], done: (result: { code: number }) => void) {
    appendFileSync(job.spans, spans.map((span) => `${JSON.stringify(writtenSpan(span))}\n`).join(""));
    done({ code: 0 });
  },
  shutdown: async () => {},
};
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
context.setGlobalContextManager(asyncContextManager());

const desk = deskThread(() => {
  if (job.send === "die") process.kill(process.pid, "SIGKILL");
  return "sent";
});
const store = await sqliteStore({ path: job.store, migrations: "automatic" });

if (job.redis === undefined) {
  const engine = createEngine({ store, threads: [desk] });
  const span = trace.getTracer("host").startSpan("request");
  const turn = await context.with(trace.setSpan(context.active(), span), () =>
    engine.react(desk, { id: "m1", text: "Where is A-1?" }, { address: { key: "ana" } }),
  );
  span.end();
  await turn.result;
} else {
  const bus = redisBus({ ...job.redis, leaseMs: 1_000 });
  const runtime = createRuntime({
    threads: [desk],
    store,
    bus,
    locks: redisLocks({ url: job.redis.url }),
    workers: 2,
    oneHost: true,
  });
  runtime.worker();
}
