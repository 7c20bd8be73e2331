import { errorCode, HebraError } from "@hebra/core";
import type { ConversationLease } from "@hebra/bus";
import type { Lease } from "@hebra/lock";
import type { TurnHandle } from "../engine/handle.ts";
import { executionIdOf } from "../engine/rows/new-rows.ts";
import type { Trigger } from "../engine/trigger.ts";
import type { Snapshot } from "../store/store.ts";
import { chunkLog } from "./chunk-log.ts";
import { deliveryLease } from "./leases.ts";
import type {
  EngineRouter,
  FlagSubject,
  RouterContext,
  RouterHandlers,
  RouterTurn,
  SwitchRequest,
} from "./engine-router.ts";
import type { EngineChange, LegacyEngine } from "./legacy-engine.ts";
import type { RouterOutcome } from "./router-outcome.ts";
import type { RuntimeServices } from "./services.ts";
import type { EngineSwitch, SwitchedTurn, TurnRequest } from "./switched-turn.ts";

/** Who decides, about what, and what it decides between. */
export interface SwitchOptions {
  readonly router: EngineRouter;
  readonly flag: string;
  readonly legacy: LegacyEngine;
  readonly flagContext?: (subject: FlagSubject) => Pick<RouterContext, "project" | "attributes">;
}

/** @throws HebraError `INVALID_OPTIONS`, `UNSUPPORTED` */
export function switchOptions(options: Partial<SwitchOptions> & { intake?: "store" | "bus" }) {
  const { router, flag, legacy, intake, flagContext } = options;
  if (router === undefined && flag === undefined && legacy === undefined) return undefined;
  if (router === undefined || flag === undefined || legacy === undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      "createRuntime: `router`, `flag` and `legacy` belong together. Pass all three.",
    );
  if (intake === "store")
    throw new HebraError(
      "UNSUPPORTED",
      "createRuntime: with a router, accepted messages rest on the bus, because the old engine does not read the thread store. Leave `intake` out.",
    );
  return { router, flag, legacy, ...(flagContext === undefined ? {} : { flagContext }) };
}

/** A summary stands after the turn that made it necessary, and belongs to none. */
const NEWEST_ITEMS = 10;

type Answer = SwitchedTurn & {
  readonly result: Promise<{ readonly status: string }>;
  readonly outcome?: RouterOutcome | Promise<RouterOutcome>;
};

export function createEngineSwitch(services: RuntimeServices, options: SwitchOptions): EngineSwitch {
  const { router, flag, legacy, flagContext } = options;
  const { engine, store, locks, clock, logger } = services;

  /**
   * Whether the turn has begun on the new engine before. A turn in front of it that was cut off with its process ends
   * first: only then is there a boundary at which the session may change its engine.
   */
  async function isInFlight(tenure: ConversationLease, trigger: Trigger): Promise<boolean> {
    const { tenant, session } = tenure;
    const snapshot = await store.load(tenant, { key: session });
    if (snapshot === undefined) return false;
    const { context, active } = snapshot;
    if (active?.execution.status === "running" && active.execution.triggerId !== trigger.id) {
      const lease = deliveryLease(tenure);
      await resume(tenure, context.id, lease);
      await lease.released;
    }
    return (await store.execution(tenant, executionIdOf(tenant, context.id, trigger.id))) !== undefined;
  }

  async function resume(tenure: ConversationLease, contextId: string, lease: Lease): Promise<void> {
    const { tenant } = tenure;
    const snapshot = await store.load(tenant, { contextId });
    for (const executionId of snapshot === undefined ? [] : openOf(snapshot)) {
      const graph = await store.execution(tenant, executionId);
      const trigger = graph?.items.find(({ id }) => id === graph.execution.triggerItemId);
      await route(tenure, trigger ?? {}, true, {
        legacy: neverLegacy,
        next: async ({ signal }) => begun(tenant, await engine.follow(executionId, { tenant }), signal),
      });
    }
    await engine.resume({ tenant, contextId }, { lease });
  }

  function route(
    tenure: ConversationLease,
    { channel, metadata = {} }: Pick<Trigger, "channel" | "metadata">,
    inFlight: boolean,
    handlers: Pick<RouterHandlers<Answer>, "legacy" | "next">,
  ) {
    const { tenant, session } = tenure;
    const { withoutHandBack = false } = legacy;
    const change = ({ id, since }: SwitchRequest): EngineChange => ({
      ...{ tenant, session, id, since, store, locks },
      lease: deliveryLease(tenure),
    });
    const handover = async (request: SwitchRequest) => {
      await endOpenTurns(tenure);
      await legacy.handBack!(change(request));
    };
    const catchUp = (request: SwitchRequest) => legacy.catchUp!(change(request));
    return router.route<Answer>(
      flag,
      { ...flagContext?.({ tenant, session, channel, metadata }), session, org: tenant },
      {
        ...handlers,
        inFlight,
        outcome: (turn) => turn.outcome,
        withoutHandover: withoutHandBack,
        servedByNew: () => servedHere(tenant, session),
        ...(legacy.handBack === undefined ? {} : { handover }),
        ...(legacy.catchUp === undefined ? {} : { catchUp }),
      },
    );
  }

  /** Whether the conversation's newest turn is this engine's own: what was imported says where it came from. */
  async function servedHere(tenant: string, session: string): Promise<boolean> {
    const snapshot = await store.load(tenant, { key: session });
    if (snapshot === undefined) return false;
    if (snapshot.active !== undefined) return snapshot.active.execution.provenance === null;
    const newest = (await store.history(tenant, snapshot.context.id, { items: NEWEST_ITEMS })).findLast(
      ({ item }) => item.executionId !== null,
    );
    return newest?.item.provenance === null;
  }

  /** Turns that wait, for a person or in line, end here: whoever decides them later finds another engine. */
  async function endOpenTurns(tenure: ConversationLease): Promise<void> {
    const { tenant, session } = tenure;
    const snapshot = await store.load(tenant, { key: session });
    const open = snapshot === undefined ? [] : openOf(snapshot);
    if (snapshot === undefined || open.length === 0) return;
    const reason = "The conversation goes back to the old engine.";
    const request = { by: "rollout", reason, joined: true, at: clock.now() };
    for (const id of open) await store.requestCancel(tenant, id, request);
    const lease = deliveryLease(tenure);
    await engine.resume({ tenant, contextId: snapshot.context.id }, { lease });
    await lease.released;
  }

  function startLegacy({ tenure, trigger, signal: caller }: TurnRequest, turn: RouterTurn): Answer {
    const log = chunkLog();
    const signal = AbortSignal.any([turn.signal, tenure.signal, ...(caller === undefined ? [] : [caller])]);
    const { id, text, parts, channel, metadata = {} } = trigger;
    const { tenant, session, fence } = tenure;
    const result = (async () => {
      try {
        return await legacy.answer({
          ...{ tenant, session, id, text, parts, channel, metadata, fence, signal },
          write: (chunk) => log.write(chunk),
        });
      } finally {
        log.end();
      }
    })();
    const outcome = result.then(
      ({ texts: _texts, ...rest }): RouterOutcome => rest,
      // Who lost the lease cannot tell how the turn ends.
      (error: unknown): RouterOutcome => ({
        status: tenure.signal.aborted ? "unknown" : signal.aborted ? "stopped" : "failed",
        error,
      }),
    );
    return { engine: "legacy", result, chunks: log.chunks, outcome };
  }

  async function startNew(request: TurnRequest, turn: RouterTurn): Promise<Answer> {
    const { tenure, lease, definition, trigger, whenBusy, signal } = request;
    const { tenant, session } = tenure;
    try {
      const handle = await engine.react(definition, trigger, {
        address: { tenant, key: session },
        lease,
        ...(whenBusy === undefined ? {} : { whenBusy }),
        ...(signal === undefined ? {} : { signal }),
      });
      return await begun(tenant, handle, turn.signal);
    } catch (error) {
      if (errorCode(error) !== "THREAD_BUSY") throw error;
      return { engine: "busy", error, result: Promise.resolve({ status: "busy" }), outcome: { status: "stopped" } };
    }
  }

  async function begun(tenant: string, handle: TurnHandle, signal: AbortSignal): Promise<Answer> {
    const { executionId, result } = handle;
    const cancel = () =>
      engine
        .cancel(executionId, { tenant, by: "rollout", reason: "The flag was killed." })
        .catch((error: unknown) => logger.warn("A turn could not be cancelled after a kill.", { error }));
    if (signal.aborted) void cancel();
    else signal.addEventListener("abort", () => void cancel(), { once: true });
    // A turn that had ended before was reported by whoever ran it.
    const known = handle.duplicate && (await store.execution(tenant, executionId))?.execution.endedAt !== null;
    return {
      engine: "new",
      handle,
      result,
      ...(known ? { outcome: { status: "unknown" } as const } : {}),
      get verified() {
        return known ? Promise.resolve(undefined) : handle.verified;
      },
    };
  }

  const neverLegacy = () =>
    Promise.reject(new HebraError("ILLEGAL_TRANSITION", "A turn in flight was routed to the old engine."));

  return {
    async begin(request) {
      const { tenure, trigger } = request;
      return route(tenure, trigger, await isInFlight(tenure, trigger), {
        legacy: async (turn) => startLegacy(request, turn),
        next: (turn) => startNew(request, turn),
      });
    },
    async join({ tenure, definition, trigger, whenBusy }) {
      const { tenant, session } = tenure;
      const answer = await route(tenure, trigger, true, {
        legacy: neverLegacy,
        next: async ({ signal }) =>
          begun(
            tenant,
            await engine.react(definition, trigger, {
              address: { tenant, key: session },
              ...(whenBusy === undefined ? {} : { whenBusy }),
            }),
            signal,
          ),
      });
      if (answer.engine !== "new") throw new HebraError("ILLEGAL_TRANSITION", "A turn in flight changed its engine.");
      return answer.handle;
    },
    resume,
  };
}

const openOf = ({ active, queued }: Snapshot): string[] => [
  ...(active === undefined ? [] : [active.execution.id]),
  ...queued.map(({ execution }) => execution.id),
];
