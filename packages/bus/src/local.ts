import { HebraError, type JsonValue } from "@hebra/core";
import type { Backend, BackendListener, RawStats } from "./backend.ts";
import type { Bus } from "./bus.ts";
import { gatewayOf, INBOUND } from "./client/bus-core.ts";
import { encodeTenant, parseBusOptions, tenantLimits, type BusOptions, type BusSettings } from "./bus-options.ts";
import { addStats, emptyStats } from "./raw-stats.ts";
import { createBus } from "./client/create-bus.ts";
import { ENVELOPE_VERSION } from "./envelope.ts";
import { createMailboxes, type Mailboxes } from "./mailbox/mailbox.ts";
import { spaceFigures } from "./mailbox/figures.ts";

/**
 * The bus of one process: the default. The same semantics as on Redis, in memory; what it holds ends with the process,
 * and
 * its receipts say so.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { localBus } from "@hebra/bus";
 *
 * const bus = localBus();
 * await bus.publishInbound({ session: "telegram:991", payload: { text: "Hola" } });
 * for await (const delivery of bus.consumeInbound({ concurrency: 8 })) {
 *   console.log(delivery.messages[0]?.payload);
 *   await delivery.ack({ outbound: [{ gatewayId: "main", payload: { text: "¿En qué puedo ayudarte?" } }] });
 *   break;
 * }
 * await bus.close();
 * ```
 */
export function localBus<Inbound = JsonValue, Outbound = JsonValue>(options: BusOptions = {}): Bus<Inbound, Outbound> {
  const settings = parseBusOptions("localBus", options);
  return createBus({ backend: localBackends(settings)(), settings, durability: "memory" }).bus as unknown as Bus<
    Inbound,
    Outbound
  >;
}

/**
 * The state machine as a backend. Time is monotonic from the wall clock's reading at the start: a jump ends no lease.
 *
 * @returns makes a backend; all of them share the mailboxes, as the contract's participants do
 */
export function localBackends(settings: BusSettings): () => Backend {
  const origin = settings.clock.now() - settings.clock.monotonic();
  const now = () => Math.floor(origin + settings.clock.monotonic());
  const listeners = new Set<BackendListener>();
  const mailboxes = createMailboxes(
    { ...settings, limitsOf: tenantLimits(settings, encodeTenant) },
    {
      ready(space) {
        for (const listener of listeners) listener.ready(space, 0);
      },
      notice(_holder, space, conversation, interrupt) {
        queueMicrotask(() => {
          for (const listener of listeners) listener.notice(space, conversation, interrupt);
        });
      },
    },
  );
  return () => {
    let own: BackendListener | undefined;
    return {
      partitions: 1,
      lanes: 1,
      partitionOf: () => 0,
      format: ENVELOPE_VERSION,
      inProcess: true,
      now,
      durable: false,
      async start(given) {
        own = given;
        listeners.add(given);
        given.health("ready");
      },
      watchSpace: () => {},
      async publish(space, _partition, entries, durability) {
        if (durability !== "memory")
          throw new HebraError(
            "DURABILITY_UNSUPPORTED",
            `The local bus keeps messages in memory only; \`${durability}\` needs a server.`,
          );
        return { statuses: mailboxes.publish(space, entries, now()), durable: false };
      },
      exchange: async (_partition, request) => mailboxes.exchange(request, now()),
      extend: async (_partition, space, leases, leaseMs) => mailboxes.extend(space, leases, leaseMs, now()),
      take: async (space, lease) => mailboxes.take(space, lease),
      ticket: async (request) => mailboxes.ticket(request, now()),
      cancelTicket: async (conversation, ticket) => mailboxes.cancelTicket(conversation, ticket, now()),
      unschedule: async (entry) => mailboxes.unschedule(entry),
      seedFence: async (_conversation, fence) => mailboxes.seedFence(fence),
      scheduled: async (limit, after) => {
        const from = Number(after.split(":")[1] ?? 0);
        const all = [...(mailboxes.spaces.get(INBOUND)?.scheduled.values() ?? [])].sort((a, b) => a.dueAt - b.dueAt);
        const entries = all.slice(from, from + limit).map(({ body, dueAt }) => ({ body, at: dueAt }));
        return { entries, cursor: from + limit < all.length ? `0:${from + limit}` : undefined };
      },
      retryNow: async () => mailboxes.retryNow(now()),
      stats: async () => ({ ...figures(mailboxes, now()), dead: mailboxes.dead.size, now: now() }),
      listDead: async (limit, before) => mailboxes.dead.list(limit, before),
      getDead: async (id) => mailboxes.dead.get(id),
      replayDead: async (id, body) => mailboxes.replayDead(id, body, now()),
      discardDead: async (id) => mailboxes.discardDead(id, now()),
      async close() {
        if (own !== undefined) listeners.delete(own);
      },
    };
  };
}

function figures(mailboxes: Mailboxes, now: number): { inbound: RawStats; outbound: RawStats; gateways: string[] } {
  const inbound = emptyStats();
  const outbound = emptyStats();
  const gateways: string[] = [];
  for (const [name, space] of mailboxes.spaces) {
    addStats(name === INBOUND ? inbound : outbound, spaceFigures(space, now));
    if (name !== INBOUND && space.conversations.size + space.scheduled.size > 0) gateways.push(gatewayOf(name));
  }
  return { inbound, outbound, gateways: gateways.sort() };
}
