import type { Gateway, RuntimeConfig } from "@hebra/thread/runtime";
import { hold, type Bars } from "./bars.ts";
import { judge } from "./judge.ts";
import { observeEchoes } from "./observe.ts";
import { LATENCY_MS } from "./phases.ts";
import { now, type SentConversation } from "./records.ts";
import type { Stage } from "./stage.ts";
import { talk } from "./talk.ts";

/** What one size of the deployment did. */
export interface ScalingReport {
  size: string;
  workers: number;
  /**
   * Under a load that every size bears: turns a second, and milliseconds from publication to reply less the handler's
   * own time.
   */
  throughput: number;
  p50: number;
  p95: number;
  /** Turns a second when more is waiting than can be worked on at once. */
  capacity: number;
}

/** Milliseconds that a turn takes while the capacity is measured: workers are full, the machine is not. */
const BUSY_MS = 1_000;
/** Milliseconds between two messages of a user under the load that every size bears. */
const EVERY_MS = 2_000;

/**
 * The same load on one process without a server, and on one, three and five workers over Redis. Nothing but the
 * configuration changes, and workers come while users talk.
 */
export async function scale(stage: Stage, bars: Bars): Promise<ScalingReport[]> {
  const reports: ScalingReport[] = [];
  for (const worker of stage.workers.splice(0)) await worker.stop();

  const local: RuntimeConfig = { store: stage.config.store! };
  const runtime = await stage.open(local);
  try {
    const gateway = await runtime.gateway({ channels: [stage.channel()], embeddedWorker: { concurrency: 25 } });
    reports.push(await measure(stage, { name: "local", workers: 1, gateway }, bars));
  } finally {
    await runtime.close();
  }
  for (const workers of stage.quick ? [1, 3] : [1, 3, 5]) {
    const grow = async () => {
      while (stage.workers.length < workers) stage.workers.push(await stage.startWorker());
    };
    // The first one has to be there; the others come while users talk.
    if (workers === 1) await grow();
    reports.push(await measure(stage, { name: `redis-${workers}`, workers, gateway: stage.gateway, grow }, bars));
  }
  for (const worker of stage.workers.splice(3)) await worker.stop();
  return reports;
}

async function measure(
  stage: Stage,
  size: { name: string; workers: number; gateway: Gateway; grow?(): Promise<void> },
  bars: Bars,
): Promise<ScalingReport> {
  const { name, workers, gateway, grow } = size;
  const { users, quick } = stage;
  const steadyName = `scale-${name}`;
  const begunAt = now();
  let from = begunAt;
  const [steady] = await Promise.all([
    talk({ gateway }, { name: steadyName, users, each: quick ? 2 : 6, everyMs: EVERY_MS }),
    grow?.().then(() => void (from = now())),
  ]);
  await rest(stage, gateway, steadyName, steady);
  const steadyUntil = Math.max(...steady.flatMap(({ messages }) => messages.map(({ at = 0 }) => at)));

  const fullName = `full-${name}`;
  const fullFrom = now();
  const full = await talk(
    { gateway },
    { name: fullName, users: quick ? 60 : 150, each: quick ? 1 : 2, everyMs: 1, handleMs: () => BUSY_MS },
  );
  await rest(stage, gateway, fullName, full);
  const fullUntil = Math.max(
    ...stage.replies.filter(({ session }) => session.startsWith(`chaos:${fullName}-`)).map(({ at }) => at),
  );

  const everything = await observeEchoes(stage, [...steady, ...full], begunAt);
  hold({ phase: name, ...judge(everything), ms: 0, settled: true }, bars);
  // Those alone that were said when the size was what it says.
  const counted = steady.map((conversation) => ({
    ...conversation,
    messages: conversation.messages.filter(({ at = 0 }) => at >= from),
  }));
  const { messages, p50, p95 } = judge({ ...everything, sent: counted });
  bars.atMost(`scale-${name}-p95`, p95, LATENCY_MS, "ms");
  const perSecond = (count: number, ms: number) => Math.round((count / ms) * 10_000) / 10;
  return {
    size: name,
    workers,
    throughput: perSecond(messages, steadyUntil - from),
    p50,
    p95,
    capacity: perSecond(full.length * full[0]!.messages.length, fullUntil - fullFrom),
  };
}

/** Waits until every message has its reply: the gateway may be one over a bus that the stage does not see. */
async function rest(stage: Stage, gateway: Gateway, name: string, sent: readonly SentConversation[]): Promise<void> {
  const wanted = sent.reduce((sum, { messages }) => sum + messages.length, 0);
  const heard = () => stage.replies.filter(({ session }) => session.startsWith(`chaos:${name}-`)).length;
  if (heard() < wanted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, 60_000);
      const stop = stage.onReply(() => heard() >= wanted && done());
      function done(): void {
        clearTimeout(timer);
        stop();
        resolve();
      }
    });
  }
  if (gateway === stage.gateway) await stage.quiet(10_000);
}
