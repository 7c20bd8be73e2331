/**
 * A worker process for the fault tests: handles messages for a while, records what it does, and acks with a reply.
 * The log's entries go through a script that refuses a fence smaller than the last one, as a store does.
 */
import { Redis } from "ioredis";
import { redisBus } from "../redis.ts";

const [url, namespace, name, handleMs, leaseMs] = process.argv.slice(2) as [string, string, string, string, string];
const log = new Redis(url);
log.on("error", () => {});
const bus = redisBus({ url, namespace, leaseMs: Number(leaseMs), retry: { baseMs: 20, capMs: 100, maxAttempts: 50 } });
const write = `
  local last = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
  if tonumber(ARGV[2]) < last then return 0 end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  if ARGV[3] ~= '' then redis.call('RPUSH', KEYS[2], ARGV[3]) end
  return 1`;

await bus.ready();
process.send?.("ready");
process.on(
  "SIGTERM",
  () =>
    void bus
      .drain({ deadlineMs: 2_000 })
      .then(() => bus.close())
      .then(() => process.exit(0)),
);

for await (const delivery of bus.consumeInbound({ concurrency: 10 })) {
  void (async () => {
    const { session, fence } = delivery;
    const [message] = delivery.messages;
    const store = (entry: object | undefined) =>
      log.eval(
        write,
        2,
        `${namespace}:fences`,
        `${namespace}:log`,
        session,
        String(fence),
        entry === undefined ? "" : JSON.stringify(entry),
      );
    // A holder registers its fence before it works, so that an older one is refused from then on.
    if ((await store(undefined)) !== 1) return;
    await new Promise((resolve) => setTimeout(resolve, Number(handleMs)));
    const committed = await store({ session, payload: message!.payload, id: message!.id, worker: name, fence });
    if (committed !== 1) return;
    await delivery.ack({ outbound: [{ gatewayId: "g", id: `reply:${message!.id}`, payload: message!.payload }] });
  })().catch(() => undefined);
}
