import { HebraError } from "@hebra/core";
import type { Backend } from "../backend.ts";
import { parseDeadId } from "./dead-letter-reader.ts";
import { dedupDigest, exchangeArgs, exchangeReply } from "./encode.ts";
import { closeBackend, startBackend } from "./lifecycle.ts";
import { publishEntries } from "./publishing.ts";
import { readScheduled } from "./scheduled-pages.ts";
import { scripts } from "./scripts.generated.ts";
import {
  createRedisState,
  partitionFor,
  runAdmin,
  runScript,
  serverNow,
  type RedisBackendOptions,
  type RedisState,
} from "./state.ts";
import { readStats, retryNow } from "./stats.ts";

export type { RedisBackendOptions } from "./state.ts";

/** The mailboxes on Redis. */
export interface RedisBackend extends Backend {
  /** Writes with this envelope version from now on, in every process. */
  raiseFormat(version: number): Promise<void>;
}

/** The backend; it connects when started. */
export function redisBackend(options: RedisBackendOptions): RedisBackend {
  const state = createRedisState(options);
  return {
    get partitions() {
      return state.config.partitions;
    },
    get format() {
      return state.config.format;
    },
    lanes: 2,
    durable: true,
    now: () => serverNow(state),
    partitionOf: (conversation) => partitionFor(state, conversation),
    start: (listener, holder) => startBackend(state, listener, holder),
    watchSpace(space, partition, wanted) {
      const key = `${partition} ${space}`;
      const count = (state.watched.get(key)?.count ?? 0) + (wanted ? 1 : -1);
      if (count > 0) state.watched.set(key, { space, partition, count });
      else state.watched.delete(key);
      state.wakers[partition]?.watch(space, wanted);
    },
    publish: (space, partition, entries, durability) => publishEntries(state, space, partition, entries, durability),
    ...leaseCalls(state),
    ...ticketCalls(state),
    ...operatorCalls(state),
    close: () => closeBackend(state),
  };
}

function leaseCalls(state: RedisState): Pick<Backend, "exchange" | "extend" | "take"> {
  const { settings } = state.options;
  return {
    async exchange(partition, request) {
      const args = exchangeArgs(request, {
        dedupWindowMs: settings.dedupWindowMs,
        maxDeadLetters: settings.maxDeadLetters,
        maxDeadLettersPerTenant: settings.maxDeadLettersPerTenant,
        limited: settings.tenants !== undefined,
      });
      const reply = exchangeReply(await runScript(state, scripts.exchange, partition, request.space, args));
      if (request.want > reply.leases.length) state.wakers[partition]?.resume(request.space);
      return reply;
    },
    async extend(partition, space, leases, leaseMs) {
      const args = [
        String(leaseMs),
        state.limitFlag,
        ...leases.flatMap(({ conversation, fence }) => [conversation, String(fence)]),
      ];
      return ((await runScript(state, scripts.extend, partition, space, args)) as number[]).map((held) => held === 1);
    },
    async take(space, { conversation, fence, have, max }) {
      const args = [conversation, String(fence), String(have), String(max)];
      const reply = await runScript(state, scripts.take, partitionFor(state, conversation), space, args);
      return Array.isArray(reply) ? (reply as string[]) : undefined;
    },
  };
}

function ticketCalls(state: RedisState): Pick<Backend, "ticket" | "cancelTicket"> {
  const send = (conversation: string, ...args: string[]) =>
    runScript(state, scripts.ticket, partitionFor(state, conversation), "in", [conversation, ...args, state.limitFlag]);
  return {
    async ticket({ conversation, ticket, holder, ttlMs, tryOnly }) {
      const reply = await send(conversation, ticket, holder, String(ttlMs), tryOnly ? "try" : "wait");
      return typeof reply === "string" ? { fence: Number(reply) } : reply === 1 ? "busy" : "waiting";
    },
    async cancelTicket(conversation, ticket, holder) {
      await send(conversation, ticket, holder, String(state.options.settings.leaseMs), "cancel");
    },
  };
}

type OperatorCalls =
  | "unschedule"
  | "scheduled"
  | "retryNow"
  | "seedFence"
  | "stats"
  | "listDead"
  | "getDead"
  | "replayDead"
  | "discardDead";

function operatorCalls(state: RedisState): Pick<RedisBackend, OperatorCalls | "raiseFormat"> {
  const { options } = state;
  const changeDead = async (id: string, what: "replay" | "discard", body: string): Promise<boolean> => {
    const place = parseDeadId(id, state.config.partitions);
    if (place === undefined) return false;
    const args = [what, place.stream, place.entry, body, state.limitFlag];
    return (await runAdmin(state, place.partition, "in", args)) === 1;
  };
  return {
    async unschedule({ conversation, id, dedupKey }) {
      const digest = dedupDigest("in", conversation, dedupKey);
      const args = ["unschedule", conversation, id, digest, String(options.settings.dedupWindowMs)];
      return (await runAdmin(state, partitionFor(state, conversation), "in", args)) === 1;
    },
    scheduled: (limit, after) =>
      readScheduled(state.config.partitions, (partition, args) => runAdmin(state, partition, "in", args), limit, after),
    retryNow: () => retryNow(state),
    async seedFence(conversation, fence) {
      await runAdmin(state, partitionFor(state, conversation), "in", ["seed", String(fence)]);
    },
    stats: () => readStats(state),
    listDead: (limit, before) => state.deadLetters!.list(limit, before),
    getDead: (id) => state.deadLetters!.get(id),
    replayDead: (id, body) => changeDead(id, "replay", body),
    discardDead: (id) => changeDead(id, "discard", ""),
    async raiseFormat(version) {
      if (!Number.isSafeInteger(version) || version < 1 || version > options.newestFormat) {
        throw new HebraError(
          "INVALID_OPTIONS",
          `raiseFormat: this process writes formats up to ${options.newestFormat}.`,
        );
      }
      const key = `${options.namespace}:cfg`;
      await state.run.bound(() => state.commands.call("HSET", key, "format", String(version)));
      state.config = { ...state.config, format: version };
    },
  };
}
