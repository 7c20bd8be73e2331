/**
 * A process that takes a lock and tells what becomes of it, a line each: `held <fence>`, then `lost`.
 * Arguments: url, key, ttl in ms.
 */
import { redisLocks } from "../redis.ts";

const [url, key, ttlMs] = process.argv.slice(2) as [string, string, string];
const locks = redisLocks({ url });
const lease = await locks.acquire(key, { ttlMs: Number(ttlMs) });
lease.signal.addEventListener("abort", () => {
  process.stdout.write("lost\n");
  void locks.close().then(() => process.exit(0));
});
process.stdout.write(`held ${lease.fence}\n`);
setInterval(() => {}, 1000);
