import { assertId, errorCode, HebraError, sleep, type IdGenerator } from "@hebra/core";
import { lockKey } from "@hebra/lock";
import type { Backend } from "../backend.ts";
import { admit, createConsumer, type Consumer } from "./consumer.ts";
import { INBOUND, outboundSpace, type BusCore } from "./bus-core.ts";
import type { Bus, ConsumeOptions, Delivery } from "../bus.ts";
import type { BusHealth } from "./bus-reports.ts";
import type { BusSettings } from "../bus-options.ts";
import { claim } from "./claims.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { createEnvelopeCodec, type EnvelopeCodec } from "../envelope.ts";
import { createExchanger, type Exchanger } from "./settle-and-claim.ts";
import { createLeaseKeeper } from "./lease-keeper.ts";
import { publish } from "./publisher.ts";
import { directionStats } from "./bus-stats.ts";
import { listScheduled } from "./scheduled.ts";
import type { Tenancy } from "./conversation-lease.ts";
import { createValueCodec } from "../value-codec.ts";

/** Milliseconds for which a process stays unready after it met what it cannot read. */
const NEWER_MEMORY_MS = 30_000;

/** Milliseconds that a drain waits beyond its deadline for answers that are under way. */
const LAST_WORDS_MS = 1_000;

/** What a bus is made of besides its backend. */
export interface BusParts {
  readonly backend: Backend;
  readonly settings: BusSettings & { ids: IdGenerator };
  /** The durability of a publish that names none. */
  readonly durability: string;
  /** The newest envelope version to read; tests of rolling deploys set it. */
  readonly newestFormat?: number;
  /** How long a call waits for a backend that has never answered yet, in milliseconds of real time. */
  readonly startTimeoutMs?: number;
}

/** Builds the bus on a backend: everything that needs no shared state. */
export function createBus(parts: BusParts): { bus: Bus; started: Promise<void> } {
  const { backend, settings } = parts;
  const { clock, ids } = settings;
  const closing = new AbortController();
  const consumers = new Set<Consumer>();
  /** Consumers that claim no more, but may have deliveries to settle. */
  const closers: Consumer[] = [];
  let counter = 0;
  let draining = false;
  let newerSeenAt = 0;
  let backendHealth: { state: "ready" | "unreachable" | "upgrade-required"; error?: Error } = { state: "unreachable" };

  const health = (): BusHealth => {
    const state = closing.signal.aborted
      ? "closed"
      : backendHealth.state !== "ready"
        ? backendHealth.state
        : draining
          ? "draining"
          : "ready";
    return {
      ready: state === "ready",
      state,
      ...(backendHealth.error === undefined ? {} : { error: backendHealth.error }),
    };
  };
  const setHealth = (state: "ready" | "unreachable" | "upgrade-required", error?: Error) => {
    if (state === "upgrade-required") newerSeenAt = clock.monotonic();
    // A message of a newer version stays in its mailbox and is met again: one good answer does not mean that it is
    // gone.
    else if (backendHealth.state === "upgrade-required" && clock.monotonic() - newerSeenAt < NEWER_MEMORY_MS) return;
    if (backendHealth.state === state && (state !== "unreachable" || backendHealth.error === error)) return;
    backendHealth = { state, ...(error === undefined ? {} : { error }) };
    core.emit?.({ type: "health-changed", health: health() });
  };
  const held = new Set<Tenancy>();
  const texts = createEnvelopeCodec(settings.maxMessageBytes, parts.newestFormat);
  const core: BusCore = {
    backend,
    settings,
    codec: backend.inProcess === true ? createValueCodec(texts, settings.maxMessageBytes) : (texts as EnvelopeCodec),
    clock,
    ids,
    holder: ids(),
    keeper: createLeaseKeeper(backend, clock, settings.leaseMs, held),
    watchers: new Map(),
    held,
    emit: settings.onEvent,
    upgradeRequired: (version) =>
      setHealth(
        "upgrade-required",
        new HebraError(
          "UPGRADE_REQUIRED",
          `A message has envelope version ${version}, which this process cannot read. Upgrade it; the message waits for a newer one.`,
        ),
      ),
  };

  const started = backend.start(
    {
      ready(space, partition) {
        let hasRoom = false;
        for (const consumer of consumers) if (consumer.space === space && consumer.wake(partition)) hasRoom = true;
        return hasRoom;
      },
      asks(space, partition) {
        for (const consumer of consumers) if (consumer.space === space && consumer.asks(partition)) return true;
        return false;
      },
      notice(space, conversation, interrupt) {
        for (const listener of core.watchers.get(`${space}\n${conversation}`) ?? []) listener(interrupt);
      },
      health: setHealth,
    },
    core.holder,
  );
  // What keeps a bus from starting does not pass by itself.
  started.catch((error: unknown) =>
    setHealth(errorCode(error) === "UPGRADE_REQUIRED" ? "upgrade-required" : "unreachable", error as Error),
  );

  let hasStarted = false;
  started.then(
    () => (hasStarted = true),
    () => undefined,
  );
  const startedInTime = async () => {
    if (parts.startTimeoutMs === undefined) return started;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new HebraError("UNREACHABLE", `The backend has not answered within ${parts.startTimeoutMs} ms.`)),
        parts.startTimeoutMs,
      );
    });
    await Promise.race([started, late]).finally(() => clearTimeout(timer));
  };
  const assertOpen = () => {
    if (closing.signal.aborted) throw new HebraError("CLOSED", "The bus was closed.");
  };
  const open = async () => {
    assertOpen();
    if (!hasStarted) await startedInTime();
    assertOpen();
  };

  const sideExchanger = (
    space: string,
    free: () => number,
    maxBatch = 1,
    receive: Parameters<typeof createExchanger>[0]["receive"] = () => {},
  ): Exchanger =>
    createExchanger({
      backend,
      space,
      id: `${core.holder}.${++counter}`,
      holder: core.holder,
      perConversation: maxBatch,
      leaseMs: settings.leaseMs,
      clock,
      requestId: ids,
      free,
      receive,
    });
  const exchangers = new Map<string, Exchanger>();
  /** Settles what was claimed outside a consumer. */
  const settler = (space: string): Exchanger => {
    let exchanger = exchangers.get(space);
    if (exchanger === undefined) exchangers.set(space, (exchanger = sideExchanger(space, () => 0)));
    return exchanger;
  };

  const consume = (space: string, options: ConsumeOptions): AsyncIterableIterator<Delivery> => {
    assertOpen();
    const { concurrency = 10, maxBatch = 1, signal } = options;
    for (const [name, value] of Object.entries({ concurrency, maxBatch })) {
      if (!Number.isSafeInteger(value) || value < 1)
        throw new HebraError("INVALID_OPTIONS", `consume: \`${name}\` must be a whole number of at least 1.`);
    }
    // The backend's partitions are known only once it has answered: until then the consumer is an empty one.
    let consumer: Consumer | undefined;
    let finished = draining;
    const begin = async () => {
      await started;
      if (finished || draining || closing.signal.aborted) return;
      const made = createConsumer({
        core,
        space,
        id: `${core.holder}.${++counter}`,
        concurrency,
        maxBatch,
        signal,
        ended: () => forget(made),
      });
      consumer = made;
      if (signal?.aborted === true) return;
      consumers.add(made);
      for (let partition = 0; partition < backend.partitions; partition++) {
        backend.watchSpace(space, partition, true);
        made.wake(partition);
      }
    };
    const begun = begin();
    begun.catch(() => undefined);
    return {
      async next() {
        if (consumer === undefined) await begun;
        return consumer === undefined ? { value: undefined, done: true } : consumer.iterator.next();
      },
      async return() {
        finished = true;
        await begun;
        await consumer?.iterator.return?.();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  };
  const forget = (consumer: Consumer) => {
    if (!consumers.delete(consumer)) return;
    closers.push(consumer);
    for (let partition = 0; partition < backend.partitions; partition++)
      backend.watchSpace(consumer.space, partition, false);
  };

  const bus: Bus = {
    async publishInbound(messages, options = {}) {
      await open();
      return publish(core, (Array.isArray(messages) ? messages : [messages]) as never, options, parts.durability);
    },
    async publishOutbound(messages, options = {}) {
      await open();
      return publish(core, (Array.isArray(messages) ? messages : [messages]) as never, options, parts.durability);
    },
    consumeInbound: (options = {}) => consume(INBOUND, options) as never,
    consumeOutbound(options) {
      assertId(options.gatewayId, "gateway id");
      return consume(outboundSpace(options.gatewayId), options) as never;
    },
    async tryConsumeOutbound({ gatewayId, maxBatch = 1 }) {
      assertId(gatewayId, "gateway id");
      await open();
      const space = outboundSpace(gatewayId);
      if (draining) return undefined;
      for (let partition = 0; partition < backend.partitions; partition++) {
        const sentAt = clock.monotonic();
        const exchanger = `${core.holder}.try.${++counter}`;
        const request = {
          space,
          exchanger,
          requestId: ids(),
          holder: core.holder,
          settles: [],
          want: 1,
          perConversation: maxBatch,
          leaseMs: settings.leaseMs,
        };
        const { leases } = await backend.exchange(partition, request);
        const [tenancy] = admit(core, settler(space), space, leases, partition, sentAt, () => {});
        if (tenancy !== undefined) return tenancy as never;
      }
      return undefined;
    },
    async claim(address, options = {}) {
      await open();
      if (draining) throw new HebraError("CLOSED", "The bus drains: it takes on no more.");
      const partition = backend.partitionOf(lockKey(address.tenant ?? "default", address.session));
      backend.watchSpace("", partition, true);
      try {
        return (await claim(core, settler(INBOUND), closing.signal, address, options)) as never;
      } finally {
        backend.watchSpace("", partition, false);
      }
    },
    async schedule(message, { at, ...options }) {
      if (!Number.isFinite(at))
        throw new HebraError("INVALID_OPTIONS", "schedule: `at` must be milliseconds since the epoch.");
      const [receipt] = await bus.publishInbound([{ ...message, delayMs: Math.max(0, at - clock.now()) }], options);
      return receipt!;
    },
    async unschedule({ tenant = "default", session, id }) {
      await open();
      return backend.unschedule({ conversation: lockKey(tenant, session), id, dedupKey: id });
    },
    async scheduled(options) {
      await open();
      return listScheduled(core, options);
    },
    async hurry() {
      await open();
      return backend.hurry();
    },
    async seedFence({ tenant = "default", session }, lastFence) {
      await open();
      if (!Number.isSafeInteger(lastFence) || lastFence < 0)
        throw new HebraError("INVALID_OPTIONS", "seedFence: a fence is a whole number, zero or more.");
      await backend.seedFence(lockKey(tenant, session), lastFence);
    },
    async stats() {
      await open();
      const { inbound, outbound, dead, now, gateways } = await backend.stats();
      return { inbound: directionStats(inbound, now), outbound: directionStats(outbound, now), dead, gateways };
    },
    health,
    deadLetters: createDeadLetters(core, texts),
    async drain({ deadlineMs = 30_000 } = {}) {
      draining = true;
      core.emit?.({ type: "health-changed", health: health() });
      const all = [...consumers];
      consumers.clear();
      const before = core.held.size;
      const unseen = (await Promise.all(all.map((consumer) => consumer.stop()))).reduce((sum, n) => sum + n, 0);
      for (const consumer of all)
        for (let p = 0; p < backend.partitions; p++) backend.watchSpace(consumer.space, p, false);
      const giveUpAt = clock.monotonic() + deadlineMs;
      closers.push(...all);
      while (core.held.size > 0 && clock.monotonic() < giveUpAt)
        await sleep(clock, Math.min(20, giveUpAt - clock.monotonic()));
      const rest = [...core.held];
      for (const tenancy of rest) tenancy.evict().catch(() => undefined);
      // An ack that is on its way counts: it gets a moment more, unless nobody answers.
      // Real time, whatever the clock: it bounds a socket.
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_WORDS_MS)));
      await Promise.race([Promise.all([...closers, ...exchangers.values()].map((one) => one.answered())), late]);
      clearTimeout(timer);
      return { settled: Math.max(0, before - unseen - rest.length), released: unseen + rest.length };
    },
    async close() {
      if (closing.signal.aborted) return;
      await bus.drain({ deadlineMs: 0 });
      closing.abort();
      for (const consumer of closers) consumer.close();
      for (const exchanger of exchangers.values()) exchanger.close();
      core.keeper.close();
      await backend.close();
    },
  };
  return { bus, started };
}
