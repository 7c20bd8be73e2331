import { inMidTurn, moment, type FaultReport } from "./faults.ts";
import { now } from "./records.ts";
import type { Stage } from "./stage.ts";
import { publish } from "./talk.ts";

/** Milliseconds in which the message must be given up: each of its attempts costs a lease and a start. */
const PATIENCE_MS = 150_000;
/** Milliseconds that it takes until it ends its process: others are in mid-turn by then. */
const LIVES_MS = 300;

/** One message ends every process that works on it, while others talk. It alone may be given up. */
export async function poison(stage: Stage): Promise<FaultReport> {
  const chat = "poison";
  const { bus } = stage.runtime;
  const supervisor = superviseWorkers(stage);
  await inMidTurn(stage, stage.workers[0]!, 3);
  await publish(stage, { id: "0", chat, text: `${chat}/0|${LIVES_MS}|kills`, tenant: "default", thread: "echo" });
  // The engine gives a turn up that never ends, and says so; the bus a message that nobody answers for.
  const answer = () => stage.replies.find(({ session }) => session === `chaos:${chat}`);
  const outcome = await moment(async () => {
    const dead = (await bus.stats().catch(() => undefined))?.dead ?? 0;
    return dead > 0 ? "dead-lettered" : answer()?.text;
  }, PATIENCE_MS);
  const deaths = await supervisor.stop();
  const { letters } = await bus.deadLetters.list();
  const innocents = letters.filter(({ session }) => session !== `chaos:${chat}`);
  for (const { id, session } of letters) if (session === `chaos:${chat}`) await bus.deadLetters.discard(id);
  return {
    note: `${deaths} workers died of it, its outcome: ${outcome ?? "none"}; ${innocents.length} innocents given up`,
    none: { "innocents-dead-lettered": innocents.length, "poison-not-given-up": outcome === undefined ? 1 : 0 },
    some: { "workers-poisoned": deaths },
  };
}

/** Starts another worker for each that ends by itself, as an orchestrator does. */
function superviseWorkers(stage: Stage): { stop(): Promise<number> } {
  let deaths = 0;
  let stopped = false;
  const replacing = new Set<Promise<void>>();
  const guard = (worker: Stage["workers"][number]) =>
    void worker.ended.then(() => {
      if (stopped) return;
      deaths++;
      stage.absences.push({ pid: worker.pid, from: now(), to: Infinity });
      const replaced = stage.startWorker().then((next) => {
        stage.workers.splice(stage.workers.indexOf(worker), 1, next);
        guard(next);
      });
      replacing.add(replaced);
      void replaced.finally(() => replacing.delete(replaced));
    });
  stage.workers.forEach(guard);
  return {
    async stop() {
      await Promise.all(replacing);
      stopped = true;
      return deaths;
    },
  };
}
