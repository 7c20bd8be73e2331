import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { eventually } from "@hebra/test-servers/eventually";
import type { Redis } from "ioredis";
import type { RedisBus } from "../redis.ts";

const workerFile = fileURLToPath(new URL("worker.fixture.ts", import.meta.url));

/** Starts a worker process and waits until it consumes. */
export async function startWorker(
  url: string,
  namespace: string,
  name: string,
  handleMs = 5,
  leaseMs = 1_000,
): Promise<ChildProcess> {
  const child = fork(workerFile, [url, namespace, name, String(handleMs), String(leaseMs)], {
    execArgv: ["--conditions=@hebra/source", "--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(child, "message");
  return child;
}

/** Publishes `perSession` numbered messages to each session, retrying with the same ids until each is in. */
export async function publishLoad(bus: RedisBus, sessions: number, perSession: number, paceMs = 0): Promise<void> {
  for (let n = 0; n < perSession; n++) {
    const messages = Array.from({ length: sessions }, (_, s) => ({ session: `s${s}`, id: `s${s}:${n}`, payload: n }));
    for (;;) {
      try {
        const receipts = await bus.publishInbound(messages);
        assert.ok(receipts.every((receipt) => receipt.status !== "full"));
        break;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    if (paceMs > 0) await new Promise((resolve) => setTimeout(resolve, paceMs));
  }
}

/** Waits until everything is handled. */
export async function drained(bus: RedisBus, limitMs = 30_000): Promise<void> {
  const idle = async () => {
    try {
      return (await bus.stats()).inbound.depth === 0;
    } catch {
      return false;
    }
  };
  await eventually(idle, "every message is handled", limitMs);
}

/** What the workers committed: nothing lost, in order per session, later repetitions only of what was not acked. */
export async function verifyLog(
  admin: Redis,
  namespace: string,
  sessions: number,
  perSession: number,
): Promise<{ repeated: number }> {
  const entries = (await admin.lrange(`${namespace}:log`, "0", "-1")).map(
    (line) => JSON.parse(line) as { session: string; payload: number; fence: number },
  );
  let repeated = 0;
  for (let s = 0; s < sessions; s++) {
    const own = entries.filter((entry) => entry.session === `s${s}`);
    let next = 0;
    let fence = 0;
    for (const entry of own) {
      assert.ok(entry.fence >= fence, `the fence of s${s} went back`);
      fence = entry.fence;
      if (entry.payload === next) next++;
      else {
        assert.equal(entry.payload, next - 1, `s${s} is out of order: ${entry.payload} after ${next - 1}`);
        repeated++;
      }
    }
    assert.equal(next, perSession, `s${s} lost messages`);
  }
  return { repeated };
}

/** Takes all replies off: each once, in order per session. */
export async function verifyReplies(bus: RedisBus, sessions: number, perSession: number): Promise<void> {
  const replies = new Map<string, unknown[]>();
  for (;;) {
    const delivery = await bus.tryConsumeOutbound({ gatewayId: "g", maxBatch: 100 });
    if (delivery === undefined) break;
    replies.set(delivery.session, [
      ...(replies.get(delivery.session) ?? []),
      ...delivery.messages.map((message) => message.payload),
    ]);
    await delivery.ack();
  }
  assert.equal(replies.size, sessions);
  for (const [session, got] of replies)
    assert.deepEqual(
      got,
      Array.from({ length: perSession }, (_, n) => n),
      `replies of ${session}`,
    );
}
