import { setTimeout as wait } from "node:timers/promises";
import { errorCode, systemClock, type Clock } from "@hebra/core";
import { killWorker, type FaultReport } from "./faults.ts";
import { now } from "./records.ts";
import { LEASE_MS, type Stage } from "./stage.ts";

/** Milliseconds for which one chat floods, and how many of its messages are on their way at once. */
const FLOOD_MS = 12_000;
const AT_ONCE = 20;
/** Milliseconds after which a flood that nobody has refused is given up. */
const FLOOD_PATIENCE_MS = 60_000;
/** Milliseconds that a message of the flood takes. */
const FLOOD_HANDLE_MS = 1_000;

/** One chat publishes as fast as it can, until it is refused and on. */
export async function floodChat(stage: Stage): Promise<FaultReport> {
  const startedAt = now();
  let [count, refused, other] = [0, 0, 0];
  const goesOn = () => now() - startedAt < (refused > 0 ? FLOOD_MS : FLOOD_PATIENCE_MS);
  const pour = async () => {
    while (goesOn()) {
      const id = String(count++);
      const text = `flood/${id}|${FLOOD_HANDLE_MS}`;
      try {
        await stage.gateway.publish("chaos", { id, chat: "flood", text, tenant: "default", thread: "echo" });
      } catch (error) {
        if (errorCode(error) === "BACKLOG_FULL") refused++;
        else other++;
        // What a channel does with a chat that is too fast.
        await wait(10);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, pour));
  return {
    note: `${count} messages of one chat, ${refused} refused as too many`,
    none: { "flood-failed-otherwise": other },
    some: { "flood-refused": refused },
  };
}

/** Milliseconds that the gateway's clock is behind: more than a message may be old. */
const BEHIND_MS = 61 * 60_000;

/** A gateway whose clock is more than an hour behind takes messages in, and a worker dies with some of them. */
export async function skewGateway(stage: Stage): Promise<FaultReport> {
  const clock: Clock = { ...systemClock, now: () => Date.now() - BEHIND_MS };
  const { openRuntime } = stage.library;
  await stage.replaceGateway((config) => openRuntime(config, { threads: stage.threads, clock }));
  await wait(2 * LEASE_MS);
  const killed = await killWorker(stage, 3);
  await wait(2 * LEASE_MS);
  const { dead } = await stage.runtime.bus.stats();
  await stage.replaceGateway(stage.open);
  return { ...killed, note: `gateway 61 min behind, ${killed.note}`, none: { "given-up-as-too-old": dead } };
}
