import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFlags } from "../client/create-flags.ts";
import { rolloutProvider } from "../rollout/provider.ts";
import { fileRolloutStore } from "../rollout/store/file.ts";
import { redisRolloutStore } from "../rollout/store/redis.ts";
import { envProvider } from "./env.ts";
import { fileProvider } from "./file.ts";
import { httpProvider } from "./http/http-provider.ts";
import type { FlagProvider } from "./provider.ts";
import { redisProvider } from "./redis/redis-provider.ts";
import { staticProvider } from "./static.ts";

/**
 * A process of its own that uses every provider, with its source up, down and silent, closes it, and says what then
 * still keeps the process. It has to end by
 * itself: nothing here calls `exit`.
 */
const [httpUrl, silentUrl, redisUrl] = process.argv.slice(2) as [string, string, string | undefined];
const DOWN = 9; // Nobody listens to the discard port.
const directory = mkdtempSync(join(tmpdir(), "left-"));
const path = join(directory, "flags.json");
const document = { flags: {}, rollouts: { "engine-v2": { version: 1, canary: { percent: 100 } } } };
writeFileSync(path, JSON.stringify(document));

type Made = readonly [FlagProvider, ...{ close(): Promise<void> }[]];
const overStore = (store: ReturnType<typeof fileRolloutStore>): Made => [rolloutProvider({ store }), store];
const providers: Readonly<Record<string, () => Made>> = {
  static: () => [staticProvider(document)],
  env: () => [envProvider({ variables: { HEBRA_FLAG_ENGINE_V2: "new" } })],
  file: () => [fileProvider({ path })],
  "file that is not there": () => [fileProvider({ path: join(directory, "no", "flags.json") })],
  http: () => [httpProvider({ url: `${httpUrl}/document`, eventsUrl: `${httpUrl}/events` })],
  "http, down": () => [
    httpProvider({ url: `http://127.0.0.1:${DOWN}/`, eventsUrl: `http://127.0.0.1:${DOWN}/events` }),
  ],
  "http, silent": () => [httpProvider({ url: silentUrl, eventsUrl: silentUrl, timeoutMs: 100 })],
  rollouts: () => overStore(fileRolloutStore(join(directory, "rollouts"))),
  ...(redisUrl === undefined
    ? {}
    : ({
        redis: () => [redisProvider({ url: redisUrl })],
        "redis, down": () => [redisProvider({ url: `redis://127.0.0.1:${DOWN}` })],
        "redis, silent": () => [redisProvider({ url: silentUrl.replace("http", "redis"), commandTimeoutMs: 100 })],
        "rollouts in redis": () => overStore(redisRolloutStore({ url: redisUrl })),
        "rollouts in redis, down": () => overStore(redisRolloutStore({ url: `redis://127.0.0.1:${DOWN}` })),
      } satisfies Record<string, () => Made>)),
};

const kept = () =>
  process.getActiveResourcesInfo().filter((name) => !/^(TTYWrap|PipeWrap|FSReqPromise|Immediate)$/.test(name));
for (const [name, make] of Object.entries(providers)) {
  const [provider, ...others] = make();
  const flags = createFlags({ provider, logger: { warn() {} }, maxStaleMs: 60_000 });
  flags.subscribe(() => {});
  await flags.ready().catch(() => {});
  flags.decide("engine-v2", { session: "s1" });
  await flags.close();
  for (const other of others) await other.close();
  // The system tells of a closed socket a moment later.
  for (let turn = 0; turn < 20 && kept().length > 0; turn++) await new Promise((resolve) => setImmediate(resolve));
  process.stdout.write(`${JSON.stringify({ name, left: kept() })}\n`);
}
rmSync(directory, { recursive: true });
