import { setTimeout as wait } from "node:timers/promises";
import { errorCode } from "@hebra/core";
import type { Gateway, Runtime } from "@hebra/thread/runtime";
import type { ChaosRedis, WorkerProcess } from "./processes.ts";
import { nonceOf, now, type Received } from "./records.ts";
import type { Sent } from "./verify.ts";

/** What a phase works with. */
export interface Stage {
  gateway: Gateway;
  runtime: Runtime;
  redis: ChaosRedis;
  workers: WorkerProcess[];
  startWorker(): Promise<WorkerProcess>;
  replies: Received[];
  leaseMs: number;
  quick: boolean;
}

/** Something that goes wrong while 50 users talk. */
export interface Phase {
  name: string;
  /** Done while the load runs; a note for the report. */
  fault?(stage: Stage): Promise<string | void>;
  /** Every message is published so many times. @defaultValue 1 */
  copies?: number;
  /** Milliseconds that a message of a user takes. @defaultValue 20 to 40 */
  handleMs?(user: number): number;
  tenant?: string;
  /** Milliseconds between two messages of a user, about. @defaultValue 400 */
  everyMs?: number;
}

export const phases: readonly Phase[] = [
  { name: "calm", everyMs: 2_000 },
  {
    name: "worker-killed",
    async fault({ workers, startWorker }) {
      await wait(400);
      await workers.shift()!.kill();
      workers.push(await startWorker());
    },
  },
  {
    name: "worker-paused",
    async fault({ workers, leaseMs }) {
      await wait(300);
      const worker = workers[0]!;
      worker.pause();
      await wait(leaseMs * 2);
      worker.resume();
    },
  },
  {
    name: "redis-restarted",
    async fault({ redis, gateway, runtime, quick }) {
      await wait(400);
      await redis.kill();
      await wait(quick ? 1_000 : 5_000);
      const { ready } = await runtime.health();
      await redis.start();
      void gateway;
      return `ready while Redis was away: ${ready}`;
    },
  },
  {
    name: "connections-killed",
    async fault({ redis }) {
      for (let n = 0; n < 10; n++) {
        await wait(100);
        await redis.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      }
    },
  },
  {
    name: "scripts-flushed",
    async fault({ redis }) {
      for (let n = 0; n < 10; n++) {
        await wait(100);
        await redis.admin.call("SCRIPT", "FLUSH");
      }
    },
  },
  { name: "published-twice", copies: 2 },
  { name: "slow-session", handleMs: (user) => (user === 0 ? 1_000 : 30) },
  {
    name: "workers-rolled",
    async fault({ workers, startWorker }) {
      const old = workers.splice(0);
      const codes: (number | null)[] = [];
      for (const worker of old) {
        workers.push(await startWorker());
        codes.push(await worker.stop());
      }
      return `exit codes ${codes.join(", ")}`;
    },
  },
];

/** Lets every user say what he has to say, in order, without waiting for answers; a refused message is sent again, as a channel would. */
export async function talk(stage: Stage, phase: Phase, users: number, each: number): Promise<Sent> {
  const publishedAt = new Map<string, number>();
  const tenant = phase.tenant ?? "default";
  const publish = async (user: number, n: number): Promise<void> => {
    const nonce = nonceOf(phase.name, user, n);
    const ms = phase.handleMs?.(user) ?? 20 + ((user * 7 + n * 3) % 20);
    const message = { id: String(n), chat: `${phase.name}-${user}`, text: `${nonce}|${ms}`, tenant };
    for (;;) {
      try {
        publishedAt.set(nonce, publishedAt.get(nonce) ?? now());
        await stage.gateway.publish("chaos", message);
        return;
      } catch (error) {
        if (errorCode(error) !== "UNREACHABLE") throw error;
        await wait(100);
      }
    }
  };
  await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      const everyMs = phase.everyMs ?? 400;
      await wait((user / users) * everyMs);
      for (let n = 0; n < each; n++) {
        for (let copy = 0; copy < (phase.copies ?? 1); copy++) await publish(user, n);
        await wait(everyMs * (0.75 + ((user * 13 + n * 29) % 50) / 100));
      }
    }),
  );
  return { phase: phase.name, users, each, tenant, publishedAt };
}
