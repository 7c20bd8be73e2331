import { createFlags } from "../../client/create-flags.ts";
import { envProvider } from "../env.ts";
import { redisProvider } from "./redis-provider.ts";

/**
 * A process of its own that says, a line each, when and how it decides for one flag: at the start and at each change.
 */
const [url, namespace] = process.argv.slice(2) as [string, string];
const flags = createFlags({
  providers: [envProvider(), redisProvider({ url, namespace, commandTimeoutMs: 500 })],
  logger: { warn() {} },
});
const say = () => {
  const { mode, ruleId } = flags.decide("engine-v2", { session: "s1" });
  process.stdout.write(`${JSON.stringify({ at: Date.now(), mode, ruleId, ready: flags.status().ready })}\n`);
};
flags.subscribe(({ type }) => {
  if (type === "flags-changed") say();
});
await flags.ready().catch(() => {});
say();
// The parent ends it; a parent that dies ends it too.
process.stdin.resume().on("end", () => void flags.close().then(() => process.exit(0)));
