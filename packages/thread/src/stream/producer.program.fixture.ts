/** A process that runs a turn and is killed, as a crash would, before its model says a word. */
import { createEngine } from "../engine/engine.ts";
import { redisLocks } from "@hebra/lock/redis";
import { pacedThread } from "./paced.fixture.ts";
import { backends } from "./tails.fixture.ts";

const { name, space, dieAt, redisUrl } = JSON.parse(process.argv[2]!) as {
  name: string;
  space: string;
  dieAt: number;
  redisUrl: string;
};
const backend = backends(space)[name]!;
const store = await backend.store();
const tail = await backend.tail();
let events = 0;
const definition = pacedThread(async () => {
  // A frame and more between two words, so that each is sent before the next.
  await new Promise((resolve) => setTimeout(resolve, 30));
  if (++events === dieAt) process.kill(process.pid, "SIGKILL");
});
const locks = redisLocks({ url: redisUrl, namespace: `${space}:lock` });
const engine = createEngine({ store, tail, locks, threads: [definition], leaseTtlMs: 1_000 });
const turn = await engine.react(definition, { id: "m-1", text: "Where is A-7?" }, { address: { key: "k" } });
process.stdout.write(`${turn.executionId}\n`);
await turn.result;
