import { createManualClock, HebraError } from "@hebra/core";
import { localBus, type Bus } from "@hebra/bus";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { memoryStore } from "../store/memory.ts";
import { recordTelemetry } from "../telemetry/telemetry.fixture.ts";
import { runtimeMetrics } from "../telemetry/thread-metrics.ts";
import { createRuntime, type Runtime, type RuntimeOptions } from "./runtime.ts";
import { echoReactor, echoThread, gate, memoryChannel } from "./runtime.fixture.ts";

const told = recordTelemetry();
afterAll(() => told.close());

const open: Runtime[] = [];
function make(over: Partial<RuntimeOptions> = {}): Runtime {
  const runtime = createRuntime({ threads: [echoThread()], store: memoryStore(), ...over });
  open.push(runtime);
  return runtime;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((runtime) => runtime.close()));
  told.reset();
});

/** Runs something inside a span of the host's. */
const within = <T>(name: string, fn: () => Promise<T>): Promise<T> =>
  told.tracer.startActiveSpan(name, async (span) => {
    try {
      return await fn();
    } finally {
      span.end();
    }
  });
/** As a host's client library would, when a channel calls it. */
const sending = () => within("POST chat.example", async () => {});

describe("a trace", () => {
  it("goes from the request over the bus, through the turn, and out with the reply", async () => {
    const bus = localBus() as Bus;
    const store = memoryStore();
    // Who starts a part of the system is no cause of what it does later.
    await within("start-up", async () => void make({ bus, store }).worker());
    const channel = memoryChannel("memory", sending);
    await within("start-up", () => make({ bus, store }).gateway({ channels: [channel], embeddedWorker: false }));
    await within("request", () => channel.publish({ id: "1", chat: "ana", text: "Hi", runId: "workflow-9" }));
    await channel.received(1);
    await channel.publish({ id: "2", chat: "ana", text: "And?" });
    await channel.received(2);
    await Promise.all(open.splice(0).map((runtime) => runtime.close()));
    await bus.close();

    const shape = told.shape().filter(({ name }) => name !== "start-up");
    expect(shape.map(({ name, parent }) => `${name} < ${parent ?? "nothing"}`).sort()).toEqual([
      "POST chat.example < invoke_agent echo",
      "POST chat.example < invoke_agent echo",
      "chat echo < invoke_agent echo",
      "chat echo < invoke_agent echo",
      "invoke_agent echo < nothing",
      "invoke_agent echo < request",
      "request < nothing",
    ]);
    expect(told.traces().size).toBe(4);
    expect(told.named("invoke_agent echo").map(({ attributes }) => attributes["hebra.run.id"])).toEqual([
      "workflow-9",
      told.named("invoke_agent echo")[1]!.attributes["hebra.execution.id"],
    ]);
  });

  it("is kept where a local bus forgets and the store does not", async () => {
    const channel = memoryChannel();
    await make({ store: { ...memoryStore(), scope: "host" } }).gateway({ channels: [channel] });
    await within("request", () => channel.publish({ id: "1", chat: "ana", text: "Hi" }));
    await channel.received(1);
    await Promise.all(open.splice(0).map((runtime) => runtime.close()));
    expect(told.shape().find(({ name }) => name === "invoke_agent echo")?.parent).toBe("request");
    expect((await told.points()).filter(({ name }) => name === "hebra.trigger.duplicates")).toEqual([]);
  });

  it("of a scheduled turn carries the run's id", async () => {
    const clock = createManualClock(Date.parse("2026-11-28T00:30:00Z"));
    const runtime = make({ clock });
    runtime.worker();
    runtime.scheduler({
      jobs: [{ id: "report", cron: "0 * * * *", message: { session: "reports", text: "Report." } }],
      ttlMs: 1_000,
    });
    for (let n = 0; n < 40; n++) await clock.advance(60_000);
    await runtime.engine.idle();
    const runs = told.named("invoke_agent echo").map(({ attributes }) => attributes["hebra.run.id"]);
    expect(runs).toEqual([`report:${Date.parse("2026-11-28T01:00:00Z")}`]);
  });
});

describe("metrics", () => {
  it("of the runtime are all there, with the labels that the page of metrics names", async () => {
    const bus = localBus({ retry: { maxAttempts: 1 } }) as Bus;
    const sound = memoryChannel("memory");
    const deaf = memoryChannel("deaf", () => Promise.reject(new HebraError("UNSUPPORTED", "no", { retryable: false })));
    const first = make({
      targets: { dispatchP95Ms: 500, turnP95Ms: 8_000 },
      bus,
      route: (message) =>
        message.text === "lost"
          ? Promise.reject(new HebraError("DEFINITION_MISSING", "Nobody answers this."))
          : { thread: "echo" },
    });
    await first.gateway({ channels: [sound, deaf] });
    await sound.publish({ id: "1", chat: "ana", text: "Hi" });
    await sound.publish({ id: "1", chat: "ana", text: "Hi" });
    await sound.received(1);
    await sound.publish({ id: "2", chat: "ana", text: "lost" });
    await deaf.publish({ id: "1", chat: "ben", text: "Hi" });
    while ((await bus.stats()).dead < 2) await new Promise((resolve) => setImmediate(resolve));

    const full = { ...bus, publishInbound: () => Promise.reject(new HebraError("SERVER_REFUSED", "OOM")) };
    const refused = memoryChannel("refused");
    await make({ bus: full }).gateway({ id: "full", channels: [refused], embeddedWorker: false });
    await expect(refused.publish({ id: "1", chat: "ana", text: "Hi" })).rejects.toMatchObject({
      code: "SERVER_REFUSED",
    });

    const reached = gate();
    const stuck = make({ threads: [echoThread(echoReactor(() => (reached.open(), new Promise(() => {}))))] });
    const other = memoryChannel("other");
    await stuck.gateway({ channels: [other] });
    await other.publish({ id: "1", chat: "eve", text: "Hi" });
    await reached.promise;
    await stuck.close();
    // It looks at the queues when it begins.
    make({ bus }).worker();
    while (!(await told.points()).some(({ name, value }) => name === "hebra.dead_letters" && value === 2))
      await new Promise((resolve) => setImmediate(resolve));

    const points = await told.points();
    const labelsOf = (name: string) => points.filter((point) => point.name === name).map(({ labels }) => labels);
    expect(labelsOf("hebra.turn.duration")).toEqual(
      expect.arrayContaining([{ "hebra.outcome": "ended", "hebra.definition": "echo" }]),
    );
    expect(labelsOf("hebra.channel.published")).toEqual(
      expect.arrayContaining([
        { channel: "memory", status: "accepted" },
        { channel: "memory", status: "duplicate" },
        { channel: "refused", status: "failed", "error.type": "SERVER_REFUSED" },
      ]),
    );
    expect(labelsOf("hebra.channel.send.duration")).toEqual(
      expect.arrayContaining([
        { channel: "memory", outcome: "sent" },
        { channel: "deaf", outcome: "failed" },
      ]),
    );
    expect(labelsOf("hebra.channel.replies")).toContainEqual({ channel: "memory", status: "delivered" });
    expect(labelsOf("hebra.delivery.given_back")).toEqual([{ "error.type": "DEFINITION_MISSING" }]);
    expect(labelsOf("hebra.delivery.attempts")).toEqual(
      expect.arrayContaining([
        { direction: "inbound", outcome: "settled" },
        { direction: "inbound", outcome: "given-back" },
        { direction: "inbound", outcome: "lost" },
        { direction: "outbound", outcome: "settled" },
        { direction: "outbound", outcome: "given-back" },
      ]),
    );
    expect(labelsOf("hebra.outbound.duration")).toEqual([{ channel: "memory" }]);
    expect(labelsOf("hebra.queue.oldest_waiting_age")).toEqual([{ direction: "inbound" }, { direction: "outbound" }]);
    expect(labelsOf("hebra.lease.lost")).toContainEqual({ holder: "delivery" });
    expect(labelsOf("hebra.queue.depth")).toEqual([{ direction: "inbound" }, { direction: "outbound" }]);

    const known = new Map(
      Object.values(runtimeMetrics).map(({ name, labels }) => [name as string, labels as readonly string[]]),
    );
    const measured = new Set(points.map(({ name }) => name));
    expect([...known.keys()].filter((name) => !measured.has(name))).toEqual([]);
    for (const { name, labels } of points)
      for (const label of Object.keys(labels)) if (known.has(name)) expect(known.get(name), name).toContain(label);
  });

  it("of a reply that was cut off say so, how often it was delivered, and how long it took in all", async () => {
    const outboundAttempts = async (outcome: string) => {
      const found = (await told.points()).find(
        ({ name, labels }) =>
          name === "hebra.delivery.attempts" && labels["direction"] === "outbound" && labels["outcome"] === outcome,
      );
      return { sum: found?.value ?? 0, count: found?.count ?? 0 };
    };
    const before = { settled: await outboundAttempts("settled"), givenBack: await outboundAttempts("given-back") };
    const clock = createManualClock(1_000_000);
    const bus = localBus({ clock, retry: { baseMs: 60_000 }, random: () => 0.5 }) as Bus;
    const failures = [
      new HebraError("UNREACHABLE", "No answer.", { details: { outcome: "unknown" } }),
      new HebraError("UNREACHABLE", "Refused."),
    ];
    const ids: string[] = [];
    const channel = memoryChannel("shaky", async ({ id }) => {
      ids.push(id);
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    });
    await make({ bus, clock }).gateway({ channels: [channel] });
    await channel.publish({ id: "1", chat: "ana", text: "Hi" });
    const received = channel.received(1);
    let over = false;
    void received.then(() => (over = true));
    while (!over) await clock.advance(10_000);
    await Promise.all(open.splice(0).map((runtime) => runtime.close()));
    expect(ids).toEqual([ids[0], ids[0], ids[0]]);

    const of = async (name: string) =>
      (await told.points()).filter((point) => point.name === name && point.labels["channel"] === "shaky");
    const sends = (await of("hebra.channel.send.duration")).map(({ labels, count }) => [labels["outcome"], count]);
    expect(sends).toEqual([
      ["unknown", 1],
      ["failed", 1],
      ["sent", 1],
    ]);
    const [arrival, ...others] = await of("hebra.outbound.duration");
    expect([arrival!.count, others]).toEqual([1, []]);
    expect(arrival!.value).toBeGreaterThanOrEqual(60);
    // The first and the second came back, the third did not.
    const [settled, givenBack] = [await outboundAttempts("settled"), await outboundAttempts("given-back")];
    expect([givenBack.count - before.givenBack.count, givenBack.sum - before.givenBack.sum]).toEqual([2, 3]);
    expect([settled.count - before.settled.count, settled.sum - before.settled.sum]).toEqual([1, 3]);
    await bus.close();
  });

  it("are not looked for where nobody measures", async () => {
    const inner = localBus() as Bus;
    let asked = 0;
    const bus: Bus = { ...inner, deadLetters: inner.deadLetters, stats: () => (asked++, inner.stats()) };
    make({ bus, telemetry: { enabled: false } }).worker();
    await make({ bus, telemetry: { enabled: false } }).gateway({ channels: [], embeddedWorker: false });
    expect(asked).toBe(0);
  });
});
