import { assertId, HebraError } from "@hebra/core";
import { lockKey } from "@hebra/lock";
import type { Bus, DeliveryHandler, PublishOptions } from "../bus.ts";
import { INBOUND, outboundSpace } from "./bus-core.ts";
import { healthOf } from "./bus-health.ts";
import { createBusState, settlerOf, type BusParts, type BusState } from "./bus-state.ts";
import { directionStats } from "./bus-stats.ts";
import { claim } from "./claims.ts";
import { consume, tryConsume } from "./consume.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { close, drain } from "./drain.ts";
import { processDeliveries } from "./process.ts";
import { publish } from "./publisher.ts";
import { listScheduled } from "./scheduled.ts";
import { startBackend, whenOpen } from "./startup.ts";

export type { BusParts } from "./bus-state.ts";

/** Builds the bus on a backend: everything that needs no shared state. */
export function createBus(parts: BusParts): { bus: Bus; started: Promise<void> } {
  const state = createBusState(parts);
  startBackend(state);
  const bus: Bus = {
    publishInbound: (messages, options) => publishAny(state, messages, options),
    publishOutbound: (messages, options) => publishAny(state, messages, options),
    consumeInbound: (options = {}) => consume(state, INBOUND, options) as never,
    async process(handler, options = {}) {
      await processDeliveries(consume(state, INBOUND, options), handler as DeliveryHandler);
    },
    consumeOutbound(options) {
      assertId(options.gatewayId, "gateway id");
      return consume(state, outboundSpace(options.gatewayId), options) as never;
    },
    async tryConsumeOutbound({ gatewayId, maxBatch = 1 }) {
      assertId(gatewayId, "gateway id");
      return (await tryConsume(state, outboundSpace(gatewayId), maxBatch)) as never;
    },
    claim: (address, options = {}) => claimConversation(state, address, options) as never,
    async schedule(message, { at, ...options }) {
      if (!Number.isFinite(at))
        throw new HebraError("INVALID_OPTIONS", "schedule: `at` must be milliseconds since the epoch.");
      await whenOpen(state);
      const delayMs = Math.max(0, at - parts.backend.now());
      const [receipt] = await bus.publishInbound([{ ...message, delayMs }], options);
      return receipt!;
    },
    ...operatorVerbs(state),
    health: () => healthOf(state),
    deadLetters: createDeadLetters(state.core, state.texts),
    async drain({ deadlineMs = 30_000 } = {}) {
      return drain(state, deadlineMs);
    },
    close: () => close(state),
  };
  return { bus, started: state.started };
}

async function publishAny(state: BusState, messages: unknown, options: PublishOptions = {}) {
  await whenOpen(state);
  return publish(
    state.core,
    (Array.isArray(messages) ? messages : [messages]) as never,
    options,
    state.parts.durability,
  );
}

async function claimConversation(
  state: BusState,
  address: Parameters<Bus["claim"]>[0],
  options: NonNullable<Parameters<Bus["claim"]>[1]>,
) {
  await whenOpen(state);
  if (state.draining) throw new HebraError("CLOSED", "The bus drains: it takes on no more.");
  const { backend } = state.parts;
  const partition = backend.partitionOf(lockKey(address.tenant ?? "default", address.session));
  backend.watchSpace("", partition, true);
  try {
    return await claim(state.core, settlerOf(state, INBOUND), state.closing.signal, address, options);
  } finally {
    backend.watchSpace("", partition, false);
  }
}

/** What operators and a store need: the future, the figures, the fences. */
function operatorVerbs(state: BusState): Pick<Bus, "unschedule" | "scheduled" | "retryNow" | "seedFence" | "stats"> {
  const { backend } = state.parts;
  return {
    async unschedule({ tenant = "default", session, id }) {
      await whenOpen(state);
      return backend.unschedule({ conversation: lockKey(tenant, session), id, dedupKey: id });
    },
    async scheduled(options) {
      await whenOpen(state);
      return listScheduled(state.core, options);
    },
    async retryNow() {
      await whenOpen(state);
      return backend.retryNow();
    },
    async seedFence({ tenant = "default", session }, lastFence) {
      await whenOpen(state);
      if (!Number.isSafeInteger(lastFence) || lastFence < 0)
        throw new HebraError("INVALID_OPTIONS", "seedFence: a fence is a whole number, zero or more.");
      await backend.seedFence(lockKey(tenant, session), lastFence);
    },
    async stats() {
      await whenOpen(state);
      const { inbound, outbound, dead, now, gateways } = await backend.stats();
      return { inbound: directionStats(inbound, now), outbound: directionStats(outbound, now), dead, gateways };
    },
  };
}
