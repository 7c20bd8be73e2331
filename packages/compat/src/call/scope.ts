import { deriveId, type JsonObject } from "@hebra/core";
import type { ActionMap, ItemRow, ThreadStore } from "@hebra/thread";
import { OUTPUT_TEXT_ITEM_TYPE, toStoredContext, toThreadItem } from "./items.ts";
import type {
  LegacyChunk,
  Loose,
  StoredContext,
  ThreadEnvironment,
  ThreadItem,
  ThreadStreamOptions,
  ThreadTool,
} from "./types.ts";

/** What the caller of a turn brings, while that is this process. */
export interface TurnCall {
  env: ThreadEnvironment;
  trigger: ThreadItem;
  options: ThreadStreamOptions;
  /** Writes a chunk beside those that are made of the turn's events. */
  write: ((chunk: LegacyChunk) => Promise<void>) | undefined;
}

/** A turn in this process, with what the old engine's callbacks are given. */
export interface TurnScope extends TurnCall {
  readonly tenant: string;
  readonly contextId: string;
  readonly executionId: string;
  readonly reactionEventId: string;
  /** Whether this turn made the context. */
  isNew(): Promise<boolean>;
  context: StoredContext;
  systemPrompt: string;
  tools: Record<string, ThreadTool>;
  actions: ActionMap;
  /** The loop is to end without asking the model again. */
  stopped: boolean;
  /** The last answer was the end, though it shows calls: its reactor has run them itself. */
  ended: boolean;
  /** Model answers beyond one a step: those after which `onEnd` said that it is not the end. */
  extraRounds: number;
  messages: readonly Loose[];
  /** What was thrown in this process, as it was thrown. */
  error: unknown;
}

/** The turns of one thread definition in this process. */
export interface Scopes {
  /** Announces a turn before it begins. @returns takes it back; the turn itself may outlive that */
  announce(executionId: string, call: TurnCall): () => void;
  /** The scope of a turn: of the caller's, or of one that this process resumes. */
  open(at: { tenant: string; contextId: string; executionId: string }): Promise<TurnScope>;
  get(executionId: string): TurnScope | undefined;
  /** The items that a model may be shown, by id. */
  rows(scope: TurnScope, items: number): Promise<ReadonlyMap<string, ItemRow>>;
}

/** Turns that nobody in this process has called are forgotten, oldest first, beyond so many. */
const MAX_KEPT = 1_000;

/** @param resumedCall - what a turn is resumed with that nobody in this process has called. */
export function createScopes(
  store: ThreadStore,
  resumedCall: (at: { tenant: string; contextId: string }) => Promise<Omit<TurnCall, "trigger">>,
): Scopes {
  const calls = new Map<string, { call: TurnCall; users: number }>();
  const scopes = new Map<string, TurnScope>();

  async function make(at: { tenant: string; contextId: string; executionId: string }): Promise<TurnScope> {
    const { tenant, contextId, executionId } = at;
    const snapshot = (await store.load(tenant, { contextId }))!;
    const graph = (await store.execution(tenant, executionId))!;
    const trigger = graph.items.find(({ id }) => id === graph.execution.triggerItemId)!;
    const call = calls.get(executionId)?.call ?? {
      ...(await resumedCall(at)),
      trigger: toThreadItem(trigger, [], graph.execution.triggerId),
    };
    return {
      ...call,
      tenant,
      contextId,
      executionId,
      reactionEventId: deriveId("item", executionId, "reaction"),
      async isNew() {
        const [first] = trigger.seq === null ? [] : await store.journal(tenant, contextId, trigger.seq - 2, 1);
        return first?.type === "context-created" && first.executionId === executionId;
      },
      context: toStoredContext(snapshot.thread, snapshot.context),
      systemPrompt: "",
      tools: {},
      actions: {},
      stopped: false,
      ended: false,
      extraRounds: 0,
      messages: [],
      error: undefined,
    };
  }

  return {
    announce(executionId, call) {
      const known = calls.get(executionId);
      calls.set(executionId, { call: known?.call ?? call, users: (known?.users ?? 0) + 1 });
      return () => {
        const entry = calls.get(executionId)!;
        entry.users--;
        if (entry.users > 0) return;
        calls.delete(executionId);
        scopes.delete(executionId);
      };
    },
    async open(at) {
      const scope = await make(at);
      if (scopes.size >= MAX_KEPT)
        for (const [id] of scopes)
          if (!calls.has(id)) {
            scopes.delete(id);
            break;
          }
      scopes.set(at.executionId, scope);
      return scope;
    },
    get: (executionId) => scopes.get(executionId),
    rows: async ({ tenant, contextId }, items) =>
      new Map((await store.history(tenant, contextId, { items })).map(({ item }) => [item.id, item])),
  };
}

/** The turn's visible answer with some of its parts. */
export function reactionItem(scope: TurnScope, parts: JsonObject[]): ThreadItem {
  return {
    id: scope.reactionEventId,
    type: OUTPUT_TEXT_ITEM_TYPE,
    channel: scope.trigger.channel,
    createdAt: new Date().toISOString(),
    status: "pending",
    content: { parts },
  };
}
