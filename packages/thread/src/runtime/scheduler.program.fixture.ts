/**
 * A process that works and stands for the leadership of a schedule. It kills itself as a crash would, at its second
 * run: just
 * before it is published, or once it is published and before that is remembered.
 */
import { redisBus } from "@hebra/bus/redis";
import type { Bus } from "@hebra/bus";
import { redisLocks } from "@hebra/lock/redis";
import { redisStore } from "../store/redis.ts";
import { createRuntime } from "./runtime.ts";
import { echoThread } from "./runtime.fixture.ts";
import type { Job } from "./scheduler.ts";

const { url, namespace, everyMs, missed, dies } = JSON.parse(process.argv[2]!) as {
  url: string;
  namespace: string;
  everyMs: number;
  missed: NonNullable<Job["missed"]>;
  dies?: "before" | "after";
};

const inner = redisBus({ url, namespace }) as Bus;
let runs = 0;
const bus: Bus = Object.assign({}, inner, {
  deadLetters: inner.deadLetters,
  async publishInbound(messages: Parameters<Bus["publishInbound"]>[0], options: Parameters<Bus["publishInbound"]>[1]) {
    const [first] = Array.isArray(messages) ? messages : [messages];
    const isLast = String((first as { id?: string } | undefined)?.id).startsWith("schedule:") && ++runs === 2;
    const die = () => {
      process.stdout.write(`${JSON.stringify({ dies: String((first as { id?: string }).id) })}\n`);
      process.kill(process.pid, "SIGKILL");
    };
    if (isLast && dies === "before") die();
    const receipts = await inner.publishInbound(messages, options);
    if (isLast && dies === "after") die();
    return receipts;
  },
});
const locks = redisLocks({ url, namespace });
const store = await redisStore({ url, namespace: `${namespace}:thread` });
const runtime = createRuntime({ threads: [echoThread()], store, bus, locks, workers: 2 });
runtime.worker();
const scheduler = runtime.scheduler({
  ttlMs: 1_000,
  jobs: [{ id: "beat", everyMs, missed, message: { session: "beats", text: "beat" } }],
});
let said: number | undefined;
setInterval(() => {
  if (scheduler.epoch !== undefined && said !== scheduler.epoch)
    process.stdout.write(`${JSON.stringify({ leads: (said = scheduler.epoch) })}\n`);
}, 10);
process.once("SIGTERM", () => {
  void (async () => {
    await runtime.drain();
    await runtime.close();
    await Promise.all([bus.close(), locks.close(), store.close()]);
    process.exit(0);
  })();
});
