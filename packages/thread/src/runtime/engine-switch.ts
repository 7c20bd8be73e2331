import { errorCode, HebraError } from "@hebra/core";
import type { Tenure } from "@hebra/bus";
import type { Lease } from "@hebra/lock";
import type { BusyPolicy } from "../definition/policy.ts";
import type { TurnHandle } from "../engine/handle.ts";
import { executionIdOf } from "../engine/rows/new-rows.ts";
import type { Trigger } from "../engine/trigger.ts";
import { catchUp } from "../legacy/catch-up.ts";
import { handover } from "../legacy/handover.ts";
import type { Snapshot } from "../store/store.ts";
import { chunkLog } from "./chunk-log.ts";
import { deliveryLease } from "./leases.ts";
import type { EngineRouter, RoutedTurn, RouterHandlers, RouterOutcome, RouterTurn } from "./engine-router.ts";
import type { LegacyEngine } from "./legacy-engine.ts";
import type { RuntimeServices } from "./services.ts";

/** A turn that is to begin under a conversation's lease. */
export interface TurnRequest {
  readonly tenure: Tenure;
  /** For the new engine, which releases it. */
  readonly lease: Lease;
  /** The new engine's definition. */
  readonly definition: string;
  readonly trigger: Trigger;
  readonly whenBusy?: BusyPolicy;
  /** Ends the turn when it aborts: the caller has gone. */
  readonly signal?: AbortSignal;
}

/** Who decides, about what, and what it decides between. */
export interface SwitchOptions {
  readonly router: EngineRouter;
  readonly flag: string;
  readonly legacy: LegacyEngine;
}

/** @throws HebraError `INVALID_OPTIONS`, `UNSUPPORTED` */
export function switchOptions(options: Partial<SwitchOptions> & { intake?: "store" | "bus" }) {
  const { router, flag, legacy, intake } = options;
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
  return { router, flag, legacy };
}

/** A turn that has begun, or one that a busy thread has refused. */
export type SwitchedTurn = RoutedTurn | { readonly engine: "busy"; readonly error: unknown };

/** Begins each turn with the engine that its session has. */
export interface EngineSwitch {
  /** @throws HebraError what the chosen engine throws */
  begin(request: TurnRequest): Promise<SwitchedTurn>;
  /** A message reached the conversation in mid-turn: it goes to the engine that runs. */
  join(request: Omit<TurnRequest, "lease">): Promise<TurnHandle>;
  /** Resumes what the new engine has left open in a context, and reports how it comes out. */
  resume(tenure: Tenure, contextId: string, lease: Lease): Promise<void>;
}

type Answer = SwitchedTurn & {
  readonly result: Promise<{ readonly status: string }>;
  readonly outcome?: RouterOutcome | Promise<RouterOutcome>;
};

export function createEngineSwitch(services: RuntimeServices, { router, flag, legacy }: SwitchOptions): EngineSwitch {
  const { engine, store, locks, clock, logger } = services;

  /** The turn, or one before it, began on the new engine and has not come to its end there. */
  async function isInFlight({ tenant, session }: Tenure, trigger: Trigger): Promise<boolean> {
    const snapshot = await store.load(tenant, { key: session });
    if (snapshot === undefined) return false;
    if (snapshot.active?.execution.status === "running") return true;
    return (await store.execution(tenant, executionIdOf(tenant, snapshot.context.id, trigger.id))) !== undefined;
  }

  function route(tenure: Tenure, inFlight: boolean, handlers: Pick<RouterHandlers<Answer>, "legacy" | "next">) {
    const { tenant, session } = tenure;
    const { handBack, history, withoutHandBack = false } = legacy;
    return router.route<Answer>(
      flag,
      { session, org: tenant },
      {
        ...handlers,
        inFlight,
        outcome: (turn) => turn.outcome,
        withoutHandover: withoutHandBack,
        ...(handBack === undefined
          ? {}
          : {
              async handover({ id, since }) {
                await endOpenTurns(tenure);
                const rows = await handover(store, { tenant, key: session });
                await legacy.handBack!({ tenant, session, rows, id, since });
              },
            }),
        ...(history === undefined
          ? {}
          : {
              async catchUp() {
                const address = { tenant, key: session };
                const { reader, toBundle } = history;
                const lease = deliveryLease(tenure);
                await catchUp({ store, locks, legacy: reader, toBundle, address, lease, clock, logger });
              },
            }),
      },
    );
  }

  /** Turns that wait, for a person or in line, end here: whoever decides them later finds another engine. */
  async function endOpenTurns(tenure: Tenure): Promise<void> {
    const { tenant, session } = tenure;
    const snapshot = await store.load(tenant, { key: session });
    const open = snapshot === undefined ? [] : openOf(snapshot);
    if (snapshot === undefined || open.length === 0) return;
    const request = { by: "rollout", reason: "The conversation goes back to the old engine.", at: clock.now() };
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
      return route(request.tenure, await isInFlight(request.tenure, request.trigger), {
        legacy: async (turn) => startLegacy(request, turn),
        next: (turn) => startNew(request, turn),
      });
    },
    async join({ tenure, definition, trigger, whenBusy }) {
      const { tenant, session } = tenure;
      const answer = await route(tenure, true, {
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
    async resume(tenure, contextId, lease) {
      const { tenant } = tenure;
      const snapshot = await store.load(tenant, { contextId });
      for (const executionId of snapshot === undefined ? [] : openOf(snapshot))
        await route(tenure, true, {
          legacy: neverLegacy,
          next: async ({ signal }) => begun(tenant, await engine.follow(executionId, { tenant }), signal),
        });
      await engine.resume({ tenant, contextId }, { lease });
    },
  };
}

const openOf = ({ active, queued }: Snapshot): string[] => [
  ...(active === undefined ? [] : [active.execution.id]),
  ...queued.map(({ execution }) => execution.id),
];
