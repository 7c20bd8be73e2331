import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bus } from "@hebra/bus";
import { redisBus } from "@hebra/bus/redis";
import { eventually } from "@hebra/test-servers/eventually";
import { everyWrite, startRedis, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, beforeAll, expect } from "vitest";
import { app, PATIENCE, workbench, type Spawned } from "./spawn.fixture.ts";

/** How long a move of a whole deployment may take on a busy machine, in milliseconds. */
export const TIME = 300_000;
/** Conversations of a busy deployment. */
export const CHATS = 20;
const HOUR = 3_600_000;
const EACH = 5;

/** A line of progress, or the report at the end. */
interface Progress {
  step?: string;
  state?: string;
  ok?: boolean;
  ms: number;
  moved: object;
  steps: { step: string; ms: number }[];
}

/** A deployment over Redis by its configuration, and the commands over it. */
interface Deployment {
  config: string;
  /** Where the threads go. */
  path: string;
  namespace: string;
  gateway(more?: Record<string, string>): Spawned;
  worker(): Spawned;
  local(): Spawned;
  toLocal(...more: string[]): Spawned;
}

/** One with everything under way. */
interface BusyDeployment extends Deployment {
  running: Spawned;
  chat(n: number): string;
}

/** Deployments over one Redis of their own, in real processes. Call it inside a `describe`. */
export function toLocalBench() {
  const bench = workbench();
  let redis: TestRedis;
  let count = 0;
  beforeAll(async () => {
    redis = await startRedis([...everyWrite, "--user", "app", "on", ">s3cr3t-pass", "~*", "&*", "+@all"]);
  });
  afterAll(async () => {
    await bench.close();
    await redis.stop();
  });

  function deployment(): Deployment {
    const name = `to-local${process.pid}-${++count}`;
    const shared = { backend: "redis", url: "${HEBRA_TEST_REDIS}", namespace: name };
    const config = bench.config(
      {
        bus: { ...shared, leaseMs: 2_000 },
        locks: shared,
        store: { ...shared, namespace: `${name}:thread` },
        workers: 2,
        sweepMs: 1_000,
      },
      `${name}.json`,
    );
    const env = { HEBRA_TEST_REDIS: `redis://app:s3cr3t-pass@127.0.0.1:${redis.port}` };
    const path = join(bench.directory, `${name}.sqlite`);
    return {
      config,
      path,
      namespace: name,
      gateway: (more: Record<string, string> = {}) =>
        bench.run(
          ["gateway", "--config", config, "--app", app, "--no-worker", "--port", "0", "--probes", "0", "--json"],
          { ...env, ...more },
        ),
      worker: () => bench.run(["worker", "--config", config, "--app", app, "--json"], env),
      local: () =>
        bench.run(["gateway", "--config", config, "--app", app, "--port", "0", "--probes", "0", "--json"], {
          HEBRA_TEST_REDIS: undefined,
        }),
      toLocal: (...more: string[]) =>
        bench.run(["to-local", "--config", config, "--app", app, "--path", path, "--json", ...more], env),
    };
  }
  const publish = (port: number, id: string, chat: string, text: string) =>
    fetch(`http://127.0.0.1:${port}/log`, { method: "POST", body: JSON.stringify({ id, chat, text }) });
  /** What each chat was sent, in order, each reply once however often it came. */
  const sentTo = (chat: string) => [
    ...new Map(
      bench
        .noted()
        .filter(({ event, session }) => event === "sent" && session === `log:${chat}`)
        .map((one) => [one.id, one.text]),
    ).values(),
  ];
  const progressOf = ({ out }: Spawned) =>
    out()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Progress);

  /**
   * Real processes with everything that can be under way: turns that run in a worker that is killed, messages behind
   * them, in retry and for later, and replies that the channel refuses.
   */
  async function busy(prefix: string): Promise<BusyDeployment> {
    const made = deployment();
    const gateway = made.gateway({ HEBRA_TEST_REFUSE: "1" });
    const { port } = await gateway.started();
    const worker = made.worker();
    await worker.started();
    const chat = (n: number) => `${prefix}${n}`;
    // Answered, and not sent.
    for (let n = 0; n < CHATS; n++) await publish(port, "0", chat(n), `${n} says 0`);
    await eventually(
      () =>
        bench.noted().filter(({ event, text }) => event === "end" && text.endsWith("says 0")).length >= CHATS * count,
      "the first turns end",
      PATIENCE,
    );
    // Turns that run when their worker is killed.
    for (let n = 0; n < 5; n++) await publish(port, "1", chat(n), `${n} says 1|${n === 0 ? 600_000 : 600}`);
    await eventually(
      () =>
        bench
          .noted()
          .filter(({ event, text, pid }) => event === "start" && text.endsWith("says 1") && pid === worker.child.pid)
          .length >= 5,
      "turns run",
      PATIENCE,
    );
    worker.child.kill("SIGKILL");
    await worker.exit;
    for (let id = 1; id < EACH; id++)
      for (let n = id === 1 ? 5 : 0; n < CHATS; n++) await publish(port, String(id), chat(n), `${n} says ${id}`);
    const bus = redisBus({ url: redis.url, namespace: made.namespace, leaseMs: 2_000 }) as Bus;
    // One that failed, and is to be tried again in an hour.
    const inbox = bus.consumeInbound({ concurrency: 1 });
    for (;;) {
      const { value } = await inbox.next();
      if (value.session !== `log:${chat(9)}`) {
        await value.release({ delayMs: 100 });
        continue;
      }
      await value.nack({ delayMs: HOUR, reason: "The model is away." });
      break;
    }
    await inbox.return!();
    const replyTo = { gatewayId: "main", channel: "log", chat: chat(99), inReplyTo: "late", deltas: false };
    await bus.schedule(
      {
        session: `log:${chat(99)}`,
        id: "log:late",
        payload: { kind: "message", message: { id: "late", chat: chat(99), text: "99 says late" }, replyTo },
      },
      { at: Date.now() + HOUR },
    );
    await bus.close();
    return { ...made, running: gateway, chat };
  }

  /** On the local gateway everything is answered, once and in order. */
  async function checkLocal({ local, chat, config }: BusyDeployment): Promise<void> {
    const gateway = local();
    const { port, probes } = await gateway.started();
    const all = Array.from({ length: CHATS }, (_, n) => n);
    // The turn that would have taken ten minutes begins anew; it is the one conversation that is not done.
    await eventually(
      () => all.slice(1).every((n) => sentTo(chat(n)).length >= EACH),
      "everything is answered",
      PATIENCE,
    );
    for (const n of all.slice(1))
      expect(sentTo(chat(n))).toEqual(Array.from({ length: EACH }, (_, id) => `echo: ${n} says ${id}`));
    expect(sentTo(chat(0))).toEqual(["echo: 0 says 0"]);
    const stats = (await (await fetch(`http://127.0.0.1:${probes}/stats`)).json()) as {
      inbound: { scheduled: number };
    };
    expect(stats.inbound.scheduled).toBe(1);
    // What comes again is known, what is new is taken.
    expect((await (await publish(port, "4", chat(1), "1 says 4")).json()) as object).toMatchObject({
      status: "duplicate",
    });
    expect((await publish(port, "5", chat(1), "1 says 5")).status).toBe(202);
    await eventually(() => sentTo(chat(1)).includes("echo: 1 says 5"), "the local gateway answers", PATIENCE);
    gateway.child.kill("SIGTERM");
    await gateway.exit;
    expect(JSON.parse(readFileSync(config, "utf8"))).toMatchObject({
      bus: { backend: "local" },
      locks: { backend: "local" },
      store: { backend: "sqlite" },
    });
  }

  return { bench, deployment, busy, checkLocal, progressOf };
}
