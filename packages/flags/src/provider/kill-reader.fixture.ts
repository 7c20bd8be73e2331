import { createInterface } from "node:readline";
import { createFlags } from "../client/create-flags.ts";
import { fileProvider } from "./file.ts";
import { httpProvider } from "./http/http-provider.ts";
import { postgresProvider } from "./postgres/postgres-provider.ts";
import type { FlagProvider } from "./provider.ts";
import { redisProvider } from "./redis/redis-provider.ts";

/**
 * A process of its own that decides for one session after another, and says, a line each, when the engine of its
 * decisions changes. On a line of input it says how many decisions it has made.
 */
const [kind, options] = process.argv.slice(2) as [string, string];
const make: Readonly<Record<string, (options: never) => FlagProvider>> = {
  file: fileProvider,
  http: httpProvider,
  redis: redisProvider,
  postgres: postgresProvider,
};
const flags = createFlags({ providers: [make[kind]!(JSON.parse(options) as never)], logger: { warn() {} } });
await flags.ready();
let count = 0;
let last: string | undefined;
const write = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`);
const timer = setInterval(() => {
  for (let at = 0; at < 20; at++) {
    const { mode } = flags.decide("engine-v2", { session: `s${++count}` });
    if (mode !== last) write({ at: Date.now(), mode });
    last = mode;
  }
}, 10);
const input = createInterface({ input: process.stdin });
input.on("line", () => write({ count, mode: last }));
// The parent ends it; a parent that dies ends it too.
input.on("close", () => {
  clearInterval(timer);
  void flags.close().then(() => process.exit(0));
});
