import { localBus } from "@hebra/bus";
import type { Clock } from "@hebra/core";
import { createFlags, createRouter, memoryAssignments, staticProvider } from "@hebra/flags";
import { createIncidentWatch, type IncidentStore } from "@hebra/flags/incident";
import { combineObservers, createCollector, rolloutProvider, type RolloutStore } from "@hebra/flags/rollout";
import { localLocks } from "@hebra/lock";
import type { AnyThreadDefinition } from "@hebra/thread";
import { createRuntime, type Channel, type ChannelReply, type LegacyEngine } from "@hebra/thread/runtime";
import { memoryStore } from "@hebra/thread/store/memory";

export const FLAG = "engine-v2";
/** The organisation that is first. */
export const FIRST = "acme";

interface Parts {
  readonly clock: Clock;
  readonly rollouts: RolloutStore;
  readonly incidents: IncidentStore;
  readonly legacy: LegacyEngine;
  readonly definition: AnyThreadDefinition;
}

/**
 * A gateway and two workers. Each has flags, a router and counters of its own, as three processes would. Here they
 * share one process, so that bus, locks and stores can be in memory; apart they take Redis or PostgreSQL, and
 * `workers: 2`.
 */
export async function deploy({ clock, rollouts, incidents, legacy, definition }: Parts) {
  const [bus, locks, store, assignments] = [localBus(), localLocks(), memoryStore(), memoryAssignments()];
  const members = Array.from({ length: 3 }, () => {
    const document = staticProvider({ flags: {}, rollouts: { [FLAG]: { version: 1 } } });
    const flags = createFlags({ providers: [rolloutProvider({ store: rollouts, clock }), document], clock });
    const unsubscribe = flags.subscribe(() => {});
    const collector = createCollector({ store: rollouts, clock, flushMs: 0 });
    const watch = createIncidentWatch({ sink: incidents, clock, retryMs: 0 });
    const seen = { finished: 0 };
    const router = createRouter({
      flags,
      clock,
      assignments,
      observer: combineObservers(collector.observer, watch.observer, { finished: () => void seen.finished++ }),
    });
    const runtime = createRuntime({
      threads: [definition],
      ...{ bus, locks, store, router, flag: FLAG, legacy },
    });
    return { runtime, router, flags, document, collector, watch, seen, unsubscribe };
  });
  const [gateway, ...workers] = members;

  const waiting = new Map<string, (reply: ChannelReply) => void>();
  let publish: (id: string, org: string, session: string, text: string) => Promise<unknown> = async () => undefined;
  const channel: Channel = {
    name: "desk",
    async start(context) {
      publish = (id, org, session, text) => context.publish({ id, chat: session, session, tenant: org, text });
    },
    async stop() {},
    async send(reply) {
      waiting.get(reply.chat)?.(reply);
    },
  };
  for (const { flags } of members) await flags.ready();
  for (const { runtime } of workers) runtime.worker();
  await gateway!.runtime.gateway({ channels: [channel], embeddedWorker: false });

  const finished = () => members.reduce((sum, { seen }) => sum + seen.finished, 0);
  let sent = 0;
  return {
    /** Sends a message and waits for its reply. */
    async say(org: string, session: string, text: string): Promise<string> {
      const reply = new Promise<ChannelReply>((resolve) => waiting.set(session, resolve));
      await publish(`m${++sent}`, org, session, text);
      const { text: said = "" } = (await reply) as { text?: string };
      waiting.delete(session);
      return said;
    },
    /** Edits the flag: an organisation on its allow list. */
    allow(org: string): void {
      for (const { document } of members)
        document.set({ flags: {}, rollouts: { [FLAG]: { version: 2, allow: { org: [org] } } } });
    },
    /** How many turns were sent, and how many outcomes were counted. */
    progress: () => ({ sent, finished: finished() }),
    engineOf: async (org: string, session: string) =>
      (await gateway!.router.assignment(FLAG, session, org))?.mode ?? "legacy",
    /** The version of the flag that the slowest process follows. */
    version: () => Math.min(...members.map(({ flags }) => flags.describe(FLAG)?.version ?? 0)),
    /** Reports counters and incidents now, instead of every few seconds. */
    async flush() {
      for (const { collector, watch } of members) {
        await collector.flush();
        await watch.flush();
      }
    },
    async close() {
      for (const { runtime, router, flags, collector, watch, unsubscribe } of members) {
        await runtime.close();
        unsubscribe();
        router.close();
        await collector.close();
        await watch.close();
        await flags.close();
      }
      await bus.close();
      await locks.close();
      await store.close();
    },
  };
}
