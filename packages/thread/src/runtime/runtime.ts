import {
  createIdGenerator,
  HebraError,
  parseOptions,
  silentLogger,
  systemClock,
  type Clock,
  type IdGenerator,
  type JsonValue,
  type Logger,
  type Telemetry,
} from "@hebra/core";
import { localBus, type Bus, type Claim } from "@hebra/bus";
import { localLocks, type LockManager } from "@hebra/lock";
import type { AnyThreadDefinition } from "../definition/define-thread.ts";
import type { ApprovalTokens } from "../engine/approval-tokens.ts";
import type { BlobStore } from "../engine/blobs/blob-store.ts";
import type { EndedTurn } from "../engine/ended-turn.ts";
import type { Engine, ReactOptions } from "../engine/api.ts";
import { createEngine } from "../engine/engine.ts";
import type { TurnHandle } from "../engine/handle.ts";
import type { Trigger } from "../engine/trigger.ts";
import type { ThreadStore } from "../store/store.ts";
import { openTelemetry } from "../telemetry/open-telemetry.ts";
import { type ThreadTelemetryOptions } from "../engine/telemetry-options.ts";
import { directTurn } from "./direct-turn.ts";
import type { EngineRouter, FlagSubject, RoutedTurn, RouterContext } from "./engine-router.ts";
import { createEngineSwitch, switchOptions } from "./engine-switch.ts";
import type { LegacyEngine } from "./legacy-engine.ts";
import { startGateway, type Gateway, type GatewayOptions } from "./gateway.ts";
import { carriedMessages } from "./carried.ts";
import { createHandover } from "./handover.ts";
import { keepWaiting } from "./keep-waiting.ts";
import { localMember } from "./local-member.ts";
import { createHealth, type RuntimeHealth } from "./health.ts";
import { busLocks } from "./leases.ts";
import { createRuntimeMetrics } from "./metrics.ts";
import { listenForMore } from "./mid-turn.ts";
import type { Taken } from "./taken.ts";
import { asJson, replyToOf } from "./payloads.ts";
import { watchQueues } from "./queue-watch.ts";
import { watchPhase } from "./phase.ts";
import { runtimeSchema } from "./runtime-schema.ts";
import { defaultRouter, type Router } from "./route.ts";
import { startScheduler, type Scheduler, type SchedulerOptions } from "./scheduler.ts";
import type { RuntimeServices } from "./services.ts";
import { assertSafe, isShared } from "./safety.ts";
import { storedTrace } from "./trace.ts";
import { startWorker, type Worker, type WorkerOptions } from "./worker.ts";

/** How a runtime is put together. Everything that is left out is local: no server, one process. */
export interface RuntimeOptions {
  /** What can be talked to. */
  threads: readonly AnyThreadDefinition[];
  /** Where threads live. */
  store: ThreadStore;
  /** Between channels and workers. @defaultValue a bus of this process */
  bus?: Bus;
  /** For leaders and for who is alive; conversations are the bus's. @defaultValue locks of this process */
  locks?: LockManager;
  /**
   * Decides for each turn which of two engines serves it, and hears how it came out: a router of `@hebra/flags`. With
   * it, `flag` and `legacy` are needed too, and accepted messages rest on the bus.
   */
  router?: EngineRouter;
  /** The flag by which the router decides. */
  flag?: string;
  /** The engine that answers while the router says so. */
  legacy?: LegacyEngine;
  /**
   * What the flag may look at besides the conversation (`session`) and its tenant (`org`): the same for each turn of a
   * conversation. @defaultValue nothing
   */
  flagContext?: (subject: FlagSubject) => Pick<RouterContext, "project" | "attributes">;
  /** Who answers a message. @defaultValue the definition that the message names, or the only one */
  route?: Router;
  /**
   * What is sent when a turn has ended: no text sends nothing. It may be called again for one turn. @defaultValue the
   * last step's text; for a failed turn `failureText`
   */
  reply?: (turn: EndedTurn) => string | readonly string[];
  /** What is sent when a turn has failed. @defaultValue "Something went wrong on our side. Please try again." */
  failureText?: string;
  /**
   * What is sent when a message finds its thread busy and the definition's policy is `reject`; an empty text sends
   * nothing. @defaultValue "One moment, please: your last message is still being worked on."
   */
  busyText?: string;
  /**
   * Processes that run a worker, as deployed. More than one needs a bus, locks and a store that they share.
   * @defaultValue 1
   */
  workers?: number;
  /** All processes run on one host, so that a store of one host will do for several workers. @defaultValue false */
  oneHost?: boolean;
  /** Milliseconds between two looks for work that was left behind. @defaultValue 30 000 */
  sweepMs?: number;
  /** Milliseconds that a lease outlives its process, where the bus does not say. @defaultValue 30 000 */
  leaseTtlMs?: number;
  /** Items of history that a model is shown. @defaultValue 40 */
  historyItems?: number;
  /**
   * What a deployment promises, in milliseconds: exported as metrics, which the alerts compare with what is measured.
   * `dispatchP95Ms`: from a message's acceptance to the start of its turn. `turnP95Ms`: a turn. @defaultValue none
   */
  targets?: { dispatchP95Ms?: number | undefined; turnP95Ms?: number | undefined };
  /**
   * What an accepted message rests on. With `store` it is a queued turn of the store before the channel acknowledges
   * it, and the bus only wakes a worker: what the bus loses, a sweep publishes again. Messages of definitions whose
   * policy is `reject`, and those that an older engine answers, rest on the bus. @defaultValue `store` where the store
   * outlives the process
   */
  intake?: "store" | "bus";
  /**
   * Bytes of one message of a reply, as JSON. A larger answer goes out in pieces. Keep it well below the bus's
   * `maxMessageBytes`, which counts the envelope too. @defaultValue 65 536
   */
  maxReplyBytes?: number;
  /**
   * Turns a `blob:` reference of a file part into a URL that a model can read, as for `createEngine`: a worker does not
   * see the gateway's disk. @defaultValue references are passed on as they are
   */
  readFile?: (url: string) => Promise<string>;
  /** Keeps long results of actions, as for `createEngine`: every worker has to reach the same ones. */
  blobs?: BlobStore;
  /**
   * Signs approvals for the chat that waits for them: whoever has such a token may decide it. Leave it out where those
   * who ask must not decide. @defaultValue a chat is told the ids only
   */
  approvalTokens?: Pick<ApprovalTokens, "sign">;
  /**
   * Spans and metrics: who takes them, or what they may say. @defaultValue OpenTelemetry where it is installed, without
   * anything that was said
   */
  telemetry?: Telemetry | ThreadTelemetryOptions;
  clock?: Clock;
  ids?: IdGenerator;
  /** @defaultValue one that says nothing */
  logger?: Logger;
}

/** Everything between a channel and a store, in one process of one or of many. */
export interface Runtime {
  readonly engine: Engine;
  readonly bus: Bus;
  /**
   * A direct call: the turn takes its place in the conversation's line, as a message would, and runs in this process.
   * Its
   * answer goes to the caller and to nobody else.
   *
   * @throws HebraError as `Engine.react`; `UNSUPPORTED` with a router, which `turn` asks
   */
  react(definition: AnyThreadDefinition | string, trigger: Trigger, options: ReactOptions): Promise<TurnHandle>;
  /**
   * A direct call as `react`, served by the engine that the router chooses; without a router always by this one. The
   * turn waits in the conversation's line.
   *
   * @throws HebraError as `Engine.react`; `THREAD_NOT_FOUND` for an address that is no key and leads nowhere; what the
   * old engine's `handBack` throws
   */
  turn(definition: AnyThreadDefinition | string, trigger: Trigger, options: ReactOptions): Promise<RoutedTurn>;
  /** Starts channels, and a worker beside them. @throws HebraError `INVALID_OPTIONS` */
  gateway(options: GatewayOptions): Promise<Gateway>;
  /** Starts a worker. @throws HebraError `INVALID_OPTIONS` */
  worker(options?: WorkerOptions): Worker;
  /** Stands for the leadership of the schedule. @throws HebraError `INVALID_OPTIONS` */
  scheduler(options: SchedulerOptions): Scheduler;
  health(): Promise<RuntimeHealth>;
  /** Takes on no more, finishes what it holds, and at the deadline gives the rest back. */
  drain(options?: { deadlineMs?: number }): Promise<void>;
  /**
   * Drains with a deadline of 0 where `drain` was not called, and lets go of what the runtime made itself. The store,
   * and a bus or locks that were passed in, stay open.
   */
  close(): Promise<void>;
}

/**
 * Puts a runtime together. With nothing but threads and a store it is the whole system in one process; with a shared
 * bus,
 * shared locks and a shared store, the same code is one of many processes.
 *
 * @throws HebraError `INVALID_OPTIONS`; `UNSUPPORTED` for a mix in which conversations could get lost or mixed up.
 *
 * @example
 * ```ts
 * import { defineThread } from "@hebra/thread";
 * import { scriptedReactor } from "@hebra/thread/reactor";
 * import { createRuntime, httpChannel } from "@hebra/thread/runtime";
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * const desk = defineThread({ name: "desk", reactor: scriptedReactor({ steps: [{ text: "Hello." }], repeatLast: true })
 * });
 * const runtime = createRuntime({ threads: [desk], store: memoryStore() });
 * const web = httpChannel({ name: "web", authorize: "everybody" });
 * await runtime.gateway({ channels: [web] });
 * const request = new Request("http://localhost/messages?wait=5000", {
 *   method: "POST",
 *   headers: { "content-type": "application/json" },
 *   body: JSON.stringify({ id: "1", chat: "ana", text: "Hi" }),
 * });
 * const answer = await web.handler(request);
 * console.log(await answer.json());
 * await runtime.close();
 * ```
 */
export function createRuntime(options: RuntimeOptions): Runtime {
  const {
    failureText,
    busyText,
    workers,
    oneHost,
    sweepMs,
    leaseTtlMs,
    historyItems,
    maxReplyBytes,
    telemetry: given,
  } = parseOptions("createRuntime", runtimeSchema, options);
  const { threads, store, clock = systemClock, logger = silentLogger, ids = createIdGenerator(clock), reply } = options;
  const busIsLocal = options.bus === undefined || !isShared(options.bus);
  assertSafe({ busIsLocal, locksGiven: options.locks !== undefined, store: store.scope, workers, oneHost });
  const bus = options.bus ?? (localBus({ clock, leaseMs: leaseTtlMs }) as Bus);
  const locks = options.locks ?? localLocks({ clock });
  const switched = switchOptions(options);
  const intake = options.intake ?? (store.scope === "process" || switched !== undefined ? "bus" : "store");
  if (intake === "store" && store.scope === "process")
    throw new HebraError(
      "UNSUPPORTED",
      'createRuntime: `intake: "store"` needs a store that outlives the process. Choose another store, or "bus".',
    );
  const handover = createHandover({
    store,
    clock,
    logger,
    whenSent: busIsLocal || intake === "store",
    maxReplyBytes,
  });

  const carried = carriedMessages(store, clock, logger);
  const isMovable = busIsLocal && store.scope !== "process";
  const phase = watchPhase({ store, clock, logger, shared: !busIsLocal || isMovable, alone: isMovable });
  const member = isMovable ? localMember({ store, clock, logger, id: ids() }) : undefined;

  /** What a channel's turn sends, to be stored with its last write. */
  function outgoing(turn: EndedTurn): JsonValue[] {
    const { status, text, error, executionId } = turn.result;
    const failure = status === "failed" ? (error?.code ?? "INTERNAL") : undefined;
    if (failure !== undefined)
      logger.error("A turn failed.", { code: failure, reason: error?.message ?? "", executionId });
    const replyTo = replyToOf(turn.correlation);
    if (replyTo === undefined || replyTo.silent === true) return [];
    let said: string | readonly string[];
    try {
      said = reply?.(turn) ?? (failure === undefined ? text : failureText);
    } catch (thrown) {
      logger.error("`reply` threw; the turn's own text is sent.", { error: thrown });
      said = failure === undefined ? text : failureText;
    }
    const texts = (typeof said === "string" ? [said] : said).filter((line) => line !== "");
    return texts.map((line, index) =>
      asJson({
        kind: "reply",
        replyTo,
        text: line.toWellFormed(),
        index,
        executionId,
        ...(failure === undefined ? {} : { failure }),
        ...storedTrace(turn.correlation),
      }),
    );
  }

  function wake({ tenant, threadKey, contextId }: { tenant: string; threadKey: string; contextId: string }): void {
    // Nobody would hear it: whoever goes on from this store looks for itself.
    if (phase.phase() === "stopped") return;
    const message = { tenant, session: threadKey, id: `wake:${ids()}`, payload: asJson({ kind: "wake", contextId }) };
    bus
      .publishInbound(message)
      .catch((error: unknown) => logger.warn("A conversation could not be woken; a sweep will find it.", { error }));
  }

  /** A direct call's turn hears what comes in meanwhile, as a message's turn does. */
  function attend(claim: Claim): () => Promise<void> {
    const taken: Taken[] = [];
    const more = listenForMore(services, claim, taken);
    return async () => {
      await more.stop();
      await handover.settle(claim, taken);
    };
  }

  const engine = createEngine({
    threads,
    store,
    locks: busLocks(bus, attend),
    clock,
    logger,
    leaseTtlMs,
    historyItems,
    outbox: outgoing,
    wake,
    ...(options.readFile === undefined ? {} : { readFile: options.readFile }),
    ...(options.blobs === undefined ? {} : { blobs: options.blobs }),
    ...(given === undefined ? {} : { telemetry: given }),
  });
  const { telemetry } = openTelemetry(given, "@hebra/thread/runtime");
  const metrics = createRuntimeMetrics(telemetry);
  metrics.targets(options.targets ?? {});
  const services: RuntimeServices = {
    engine,
    store,
    bus,
    locks,
    threads,
    engineSwitch: undefined,
    failureText,
    route: options.route ?? defaultRouter(threads),
    routesByName: options.route === undefined,
    handover,
    carried,
    phase,
    member,
    metrics,
    telemetry,
    clock,
    ids,
    logger,
    busyText,
    approvalTokens: options.approvalTokens,
    busIsLocal,
    storesIntake: intake === "store",
    maxReplyBytes,
    sweepMs,
  };
  if (switched !== undefined) services.engineSwitch = createEngineSwitch(services, switched);
  const started: { workers: Worker[]; gateways: Gateway[]; schedulers: Scheduler[] } = {
    workers: [],
    gateways: [],
    schedulers: [],
  };
  let state: "open" | "draining" | "closed" = "open";
  const health = createHealth(services, started, () => state === "open" && (phase.phase() ?? "open") === "open");
  let drained: Promise<void> | undefined;
  let kept = true;

  let stopWatching: (() => Promise<void>) | undefined;
  const watch = () => {
    if (telemetry.enabled) stopWatching ??= watchQueues(services);
  };
  const assertOpen = () => {
    if (state !== "open") throw new HebraError("CLOSED", "The runtime drains or is closed.");
  };
  const runtime: Runtime = {
    engine,
    bus,
    async react(definition, trigger, reactOptions) {
      assertOpen();
      if (switched !== undefined)
        throw new HebraError(
          "UNSUPPORTED",
          "`react` would pass by the router of this runtime. Call `turn`, which serves with the engine that the session has.",
        );
      await phase.begin();
      await phase.refresh();
      phase.assertOpen();
      return engine.react(definition, trigger, reactOptions);
    },
    async turn(definition, trigger, reactOptions) {
      assertOpen();
      await phase.begin();
      phase.assertOpen();
      return directTurn(services, attend, definition, trigger, reactOptions);
    },
    async gateway(gatewayOptions) {
      assertOpen();
      watch();
      const gateway = await startGateway(services, gatewayOptions);
      started.gateways.push(gateway);
      // It was told to stop while it started.
      if (state !== "open") await gateway.stop({ deadlineMs: 0 });
      return gateway;
    },
    worker(workerOptions) {
      assertOpen();
      watch();
      const worker = startWorker(services, workerOptions);
      started.workers.push(worker);
      return worker;
    },
    scheduler(schedulerOptions) {
      assertOpen();
      const scheduler = startScheduler(services, schedulerOptions);
      started.schedulers.push(scheduler);
      return scheduler;
    },
    health: () => health.read(),
    drain({ deadlineMs = 30_000 } = {}) {
      if (drained !== undefined) return drained;
      state = "draining";
      drained = (async () => {
        const startedAt = clock.monotonic();
        const left = () => Math.max(0, deadlineMs - (clock.monotonic() - startedAt));
        await Promise.all(started.schedulers.map((scheduler) => scheduler.stop()));
        await Promise.all([...started.gateways, ...started.workers].map((part) => part.stop({ deadlineMs })));
        if (member !== undefined && phase.phase() === "stopped") kept = await keepWaiting(services);
        // Gives back what is still held: its turns stop here, and go on elsewhere.
        await bus.drain({ deadlineMs: left() });
        await handover.flush();
      })();
      return drained;
    },
    async close() {
      if (state === "closed") return;
      await runtime.drain({ deadlineMs: 0 });
      state = "closed";
      health.stop();
      phase.stop();
      await stopWatching?.();
      await engine.close();
      await handover.flush();
      await carried.flush();
      await member?.close();
      if (options.bus === undefined) await bus.close();
      if (options.locks === undefined) await locks.close();
    },
  };
  // The conversations move away: what is held is finished, and the process waits for its end.
  phase.onChange((next) => {
    void member?.follow(next);
    if (next !== "stopped") return;
    void runtime.drain().then(async () => {
      await carried.flush();
      if (kept) await member?.stopped();
    });
  });
  return runtime;
}
