import { assertId, errorCode, errorMessage, HebraError, sleep } from "@hebra/core";
import type { Channel, ChannelMessage, Publication, ReplyStatus } from "./channel.ts";
import { parseTrigger } from "../engine/trigger.ts";
import { startDispatcher } from "./dispatcher.ts";
import { startIntake } from "./intake.ts";
import { messageKey } from "./message-key.ts";
import { asJson, type ReplyTo } from "./payloads.ts";
import { boundedSet } from "./bounded-set.ts";
import { createOneAtATime } from "./one-at-a-time.ts";
import { presences, showPresence, someoneLives } from "./presence.ts";
import type { RoutedMessage } from "./route.ts";
import type { RuntimeServices } from "./services.ts";
import { currentTrace, insideTrace } from "./trace.ts";
import { triggerOf } from "./trigger-of.ts";
import { startWorker, type Worker, type WorkerOptions } from "./worker.ts";

/** How a gateway is made. */
export interface GatewayOptions {
  /**
   * Replies are addressed to it. Two gateways that run at once need two ids, and a gateway that starts again keeps its
   * own. @defaultValue "main"
   */
  id?: string;
  channels: readonly Channel[];
  /** Whether this process works too, and how. Without it some other process must. @defaultValue true */
  embeddedWorker?: boolean | WorkerOptions;
  /**
   * What becomes of a message that is on the bus, but not as durable as was asked for: a replica is away, or the bus is
   * of this process. `accept` says so to the channel, as `durable: false`. With `refuse` the channel does not
   * acknowledge it, and its sender repeats it under the same id. @defaultValue "accept"
   */
  whenNotDurable?: "accept" | "refuse";
  /** Replies sent at once. @defaultValue 20 */
  sendConcurrency?: number;
  /**
   * Hears what the other side of a channel says about replies that it was given: `failed` ones above all. It must not
   * throw. @defaultValue nobody
   */
  onReplyStatus?: (status: ReplyStatus & { channel: string }) => void;
}

/** Channels, and whoever sends their replies. */
export interface Gateway {
  readonly id: string;
  readonly worker: Worker | undefined;
  /** Whether somebody works on what this gateway takes in. */
  hasWorker(): boolean;
  /** As a channel publishes. @throws HebraError as `ChannelContext.publish` */
  publish(channel: string, message: ChannelMessage): Promise<Publication>;
  /**
   * Takes in no more, waits for its own worker, sends what is to be sent, and stops; at the deadline the rest waits for
   * its return.
   */
  stop(options?: { deadlineMs?: number }): Promise<void>;
}

/** The bus or the store could not take a message; the message is as good as any. */
const outages = new Set([
  "UNREACHABLE",
  "SERVER_REFUSED",
  "DURABILITY_MISSED",
  "STORE_FAILED",
  "STORE_BUSY",
  "STORE_LOCKED",
  "TIMEOUT",
]);

const CHANNEL_NAME = /^[A-Za-z0-9][\w.-]*$/;

/** Conversations remembered to have had full mailboxes. */
const MAX_OVERFLOWING = 10_000;
/** Milliseconds between two looks for a live worker. */
const LOOK_EVERY_MS = 5_000;

/** @throws HebraError `INVALID_OPTIONS`, and what a channel throws that cannot start */
export async function startGateway(services: RuntimeServices, options: GatewayOptions): Promise<Gateway> {
  const { bus, clock, logger, engine, locks, metrics, telemetry } = services;
  const { id = "main", embeddedWorker = true, sendConcurrency = 20 } = options;
  const channels = new Map(options.channels.map((channel) => [channel.name, channel]));
  if (channels.size < options.channels.length)
    throw new HebraError("INVALID_OPTIONS", "gateway: two channels have one name. Give each its own.");
  for (const name of channels.keys())
    if (!CHANNEL_NAME.test(name))
      throw new HebraError(
        "INVALID_OPTIONS",
        `gateway: the channel's name ${JSON.stringify(name)} may have letters, digits, \`_\`, \`.\` and \`-\` only: it is the first part of keys.`,
      );
  const stopping = new AbortController();

  const storing = createOneAtATime();
  const overflowing = boundedSet(MAX_OVERFLOWING);
  const policyOf = (thread: string) => services.threads.find(({ name }) => name === thread)?.policy.whenBusy;

  /**
   * What a worker would refuse is refused before it is accepted.
   *
   * @throws HebraError `INVALID_OPTIONS`, `INVALID_ID`, `NOT_SERIALIZABLE`, `DEFINITION_MISSING`
   */
  function assertTaken(input: RoutedMessage, replyTo: ReplyTo): void {
    parseTrigger(triggerOf(input, replyTo));
    const { thread } = input;
    // A router of the host's own may give the name another meaning.
    if (thread === undefined || !services.routesByName || policyOf(thread) !== undefined) return;
    throw new HebraError(
      "DEFINITION_MISSING",
      `There is no thread definition ${JSON.stringify(thread.slice(0, 100))}.`,
      {
        retryable: false,
      },
    );
  }

  async function publish(channelName: string, message: ChannelMessage): Promise<Publication> {
    if (stopping.signal.aborted)
      throw new HebraError("CLOSED", "The gateway stops: it takes in no more.", { retryable: true });
    const refreshing = services.phase.refresh();
    if (refreshing !== undefined) await refreshing;
    intake.assertOpen();
    const published = takeIn(channelName, message).catch((error: unknown) => {
      if (outages.has(errorCode(error) ?? "")) metrics.notTaken(channelName, error);
      throw error;
    });
    intake.count(published);
    return published;
  }

  async function takeIn(channelName: string, message: ChannelMessage): Promise<Publication> {
    const tenant = message.tenant ?? "default";
    assertId(message.id, "message id");
    assertId(message.chat, "chat");
    const session = message.session ?? `${channelName}:${message.chat}`;
    const replyTo: ReplyTo = {
      gatewayId: id,
      channel: channelName,
      chat: message.chat,
      inReplyTo: message.id,
      deltas: channels.get(channelName)?.sendDelta !== undefined,
    };
    const input = { ...message, tenant, session, channel: channelName };
    assertTaken(input, replyTo);
    const place = JSON.stringify([tenant, session]);
    const answer = services.storesIntake ? await services.route(input) : undefined;
    const thread =
      answer !== undefined && "thread" in answer && policyOf(answer.thread) !== "reject" ? answer.thread : undefined;
    const send = async () => {
      const [receipt] = await bus.publishInbound({
        tenant,
        session,
        id: messageKey(input),
        payload: asJson({ kind: "message", message, replyTo }),
        ...currentTrace(telemetry),
        ...(message.interrupt === true ? { interrupt: true } : {}),
      });
      metrics.published(channelName, receipt!.status);
      if (receipt!.status === "full" || receipt!.status === "shed") overflowing.add(place);
      else overflowing.delete(place);
      return receipt!;
    };
    // The store keeps what the bus may lose: a sweep, or a restart, finds the trigger queued. A conversation whose
    // mailbox was full asks the bus first, so that what has no room is not stored either.
    const isBusFirst = thread === undefined || overflowing.has(place);
    const first = isBusFirst ? await send() : undefined;
    if (first?.status === "shed") return { status: "shed", tenant, session, durable: false };
    if (first?.status === "full") {
      throw new HebraError("BACKLOG_FULL", `The conversation ${session} has as many messages waiting as it may.`, {
        details: { tenant, session },
      });
    }
    let known = false;
    if (thread !== undefined) {
      // Writes of one conversation wait for one another in the store, and would keep its connections from the others.
      const { duplicate } = await storing.run(place, () =>
        engine.enqueue(thread, triggerOf(input, replyTo), {
          address: { tenant, key: session },
          ...(message.interrupt === true ? { whenBusy: "interrupt" as const } : {}),
        }),
      );
      // After the bus, a worker may have been faster.
      known = duplicate && !isBusFirst;
    }
    const receipt = first ?? (await send());
    const durable = thread !== undefined || receipt.durable;
    if (options.whenNotDurable === "refuse" && !durable)
      throw new HebraError(
        "UNREACHABLE",
        "The message is on the bus, and not as durable as it has to be. Send it again, with the same id.",
        { details: { tenant, session } },
      );
    return { status: known || receipt.status === "duplicate" ? "duplicate" : "accepted", tenant, session, durable };
  }

  function report(channel: string, status: ReplyStatus): void {
    const { status: outcome, replyId = null, messageId, reason = null } = status;
    metrics.replied(channel, outcome);
    if (outcome === "failed") logger.warn("A reply did not arrive.", { channel, messageId, replyId, reason });
    else logger.debug("A reply got on.", { channel, messageId, replyId, status: outcome });
    try {
      options.onReplyStatus?.({ ...status, channel });
    } catch (error) {
      logger.error("`onReplyStatus` threw.", { channel, error: errorMessage(error) });
    }
  }

  const intake = startIntake(services);
  await services.phase.begin();
  // Replies and messages that a move has brought along come before everything that is new.
  if (services.busIsLocal && services.phase.phase() !== "stopped") await services.carried.restore(bus);
  const worker =
    embeddedWorker === false ? undefined : startWorker(services, embeddedWorker === true ? {} : embeddedWorker);
  const dispatcher = startDispatcher(services, { gatewayId: id, channels, concurrency: sendConcurrency });
  const sending = services.busIsLocal ? undefined : showPresence(presences.senders, locks, clock);
  let workerLives = worker !== undefined;
  let warned = false;

  async function look(): Promise<void> {
    try {
      workerLives = await someoneLives(presences.workers, locks);
      if (!workerLives && !warned)
        logger.error(
          "No worker is running: messages are taken in and nobody answers. Start `worker()` in some process, or leave `embeddedWorker` on.",
          { gatewayId: id },
        );
      warned = !workerLives;
    } catch (error) {
      workerLives = false;
      logger.warn("Whether a worker is running cannot be told.", { error: errorMessage(error) });
    }
  }
  async function keepLooking(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep(clock, LOOK_EVERY_MS, stopping.signal).catch(() => undefined);
      if (!stopping.signal.aborted) await look();
    }
  }
  if (worker === undefined) await look();
  const looking = worker === undefined ? keepLooking() : Promise.resolve();

  const started: Channel[] = [];
  try {
    for (const channel of channels.values()) {
      // What a channel hears later has nothing to do with whoever started it.
      await insideTrace(telemetry, undefined, () =>
        channel.start({
          gatewayId: id,
          publish: (message) => publish(channel.name, message),
          report: (status) => report(channel.name, status),
          clock,
          logger,
        }),
      );
      started.push(channel);
    }
  } catch (error) {
    await stop({ deadlineMs: 0 });
    throw error;
  }

  async function outboundIsEmpty(deadlineMs: number): Promise<void> {
    const until = clock.monotonic() + deadlineMs;
    let quiet = 0;
    while (clock.monotonic() < until) {
      const { gateways, outbound } = await bus.stats();
      // What is left waits for a retry, which may be hours away. One look could just miss a reply that arrives.
      quiet = outbound.inFlight === 0 && outbound.oldestWaitingAgeMs === 0 ? quiet + 1 : 0;
      if (!gateways.includes(id) || quiet > 2) return;
      await sleep(clock, 20);
    }
  }

  let stopped: Promise<void> | undefined;
  function stop({ deadlineMs = 30_000 }: { deadlineMs?: number } = {}): Promise<void> {
    return (stopped ??= (async () => {
      const startedAt = clock.monotonic();
      await Promise.allSettled(started.map((channel) => channel.stop()));
      stopping.abort();
      await intake.close();
      await worker?.stop({ deadlineMs });
      // What others owe this gateway can wait for its return; what its own worker has just answered should not.
      if (worker !== undefined && services.busIsLocal)
        await outboundIsEmpty(Math.max(0, deadlineMs - (clock.monotonic() - startedAt))).catch(() => undefined);
      await dispatcher.stop();
      await sending?.close();
      await looking;
    })());
  }

  return { id, worker, hasWorker: () => workerLives, publish, stop };
}
