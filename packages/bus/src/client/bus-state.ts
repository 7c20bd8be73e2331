import { HebraError, type IdGenerator } from "@hebra/core";
import type { Backend } from "../backend.ts";
import type { BusSettings } from "../bus-options.ts";
import { createEnvelopeCodec, type EnvelopeCodec } from "../envelope.ts";
import { createValueCodec } from "../value-codec.ts";
import type { BusCore } from "./bus-core.ts";
import { blockingPublish } from "./overflow.ts";
import { setHealth, type HealthState } from "./bus-health.ts";
import type { Consumer } from "./consumer.ts";
import { createLeaseKeeper, type HeldConversation } from "./lease-keeper.ts";
import { createSettleAndClaimBatcher, type SettleAndClaimBatcher } from "./settle-and-claim.ts";

/** What a bus is made of besides its backend. */
export interface BusParts {
  readonly backend: Backend;
  readonly settings: BusSettings & { ids: IdGenerator };
  /** The durability of a publish that names none. */
  readonly durability: string;
  /** See `PublishOptions.onDurabilityMissed`. @defaultValue `accept` */
  readonly onDurabilityMissed?: "accept" | "refuse";
  /** The newest envelope version to read; tests of rolling deploys set it. */
  readonly newestFormat?: number;
  /** How long a call waits for a backend that has never answered yet, in milliseconds of real time. */
  readonly startTimeoutMs?: number;
}

/** Everything that one bus keeps. */
export interface BusState extends HealthState {
  readonly parts: BusParts;
  readonly core: BusCore;
  /** Reads envelopes as text, also where the mailboxes hold values. */
  readonly texts: EnvelopeCodec<string>;
  /** Consumers that claim. */
  readonly consumers: Set<Consumer>;
  /** Consumers that claim no more, but may have deliveries to settle. */
  readonly closers: Consumer[];
  /** Settle what was claimed outside a consumer, by space. */
  readonly settlers: Map<string, SettleAndClaimBatcher>;
  /** Numbers the requesters of this bus. */
  requesters: number;
  hasStarted: boolean;
  /** Resolves when the backend has answered once. */
  started: Promise<void>;
}

/** The state of a bus whose backend has not been started yet. */
export function createBusState(parts: BusParts): BusState {
  const { backend, settings } = parts;
  const held = new Set<HeldConversation>();
  const texts = createEnvelopeCodec(settings.maxMessageBytes, parts.newestFormat);
  const core: BusCore = {
    backend,
    publish: (...args) => publish(...args),
    settings,
    codec: backend.inProcess === true ? createValueCodec(texts, settings.maxMessageBytes) : (texts as EnvelopeCodec),
    clock: settings.clock,
    ids: settings.ids,
    holder: settings.ids(),
    keeper: createLeaseKeeper(backend, settings.clock, settings.leaseMs, held),
    watchers: new Map(),
    held,
    onDurabilityMissed: parts.onDurabilityMissed ?? "accept",
    emit: settings.onEvent,
    upgradeRequired: (version) =>
      setHealth(
        state,
        "upgrade-required",
        new HebraError(
          "UPGRADE_REQUIRED",
          `A message has envelope version ${version}, which this process cannot read. Upgrade it; the message waits for a newer one.`,
        ),
      ),
  };
  const publish =
    settings.overflow === "block"
      ? blockingPublish(core)
      : (...args: Parameters<Backend["publish"]>) => backend.publish(...args);
  const state: BusState = {
    parts,
    core,
    texts,
    closing: new AbortController(),
    consumers: new Set(),
    closers: [],
    settlers: new Map(),
    requesters: 0,
    draining: false,
    hasStarted: false,
    started: Promise.resolve(),
    newerSeenAt: 0,
    backendHealth: { state: "unreachable" },
  };
  return state;
}

/** A name of its own for whoever sends requests. */
export function nextRequester(state: BusState, infix = ""): string {
  return `${state.core.holder}.${infix}${++state.requesters}`;
}

/** The batcher that settles what was claimed outside a consumer. */
export function settlerOf(state: BusState, space: string): SettleAndClaimBatcher {
  let settler = state.settlers.get(space);
  if (settler === undefined) {
    const { core, parts } = state;
    settler = createSettleAndClaimBatcher({
      backend: parts.backend,
      space,
      id: nextRequester(state),
      holder: core.holder,
      perConversation: 1,
      leaseMs: parts.settings.leaseMs,
      clock: core.clock,
      requestId: core.ids,
      free: () => 0,
      receive: () => {},
    });
    state.settlers.set(space, settler);
  }
  return settler;
}

/** @throws HebraError `CLOSED` */
export function assertOpen(state: BusState): void {
  if (state.closing.signal.aborted) throw new HebraError("CLOSED", "The bus was closed.");
}
