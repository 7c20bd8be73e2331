import { HebraError } from "@hebra/core";
import type { BackendListener, Entry, EntryStatus, Space } from "../backend.ts";
import type { Durability } from "../durability.ts";
import type { BusSettings } from "../bus-options.ts";
import type { RedisCommands, WaitingConnection } from "./commands.ts";
import type { SharedConfig } from "./config.ts";
import type { createDeadLetterReader } from "./dead-letter-reader.ts";
import { partitionOf } from "./partitions.ts";
import type { createPublishQueue } from "./publish-queue.ts";
import { createRunner, type Runner, type Script } from "./run.ts";
import { scripts } from "./scripts.generated.ts";
import type { Waker } from "./waker.ts";

/** What the Redis backend is made of. */
export interface RedisBackendOptions {
  readonly connect: () => Promise<RedisCommands>;
  readonly namespace: string;
  readonly partitions: number | undefined;
  readonly durability: Durability;
  readonly replicas: number;
  readonly durabilityTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly settings: BusSettings;
  readonly newestFormat: number;
  /** Only tests: the time in milliseconds, instead of the server's. */
  readonly time?: () => number;
}

/** Publishes entries of a space. @returns their statuses, and whether the durability was reached */
export type DurableQueue = (
  space: Space,
  entries: readonly Entry[],
) => Promise<{ statuses: EntryStatus[]; durable: boolean }>;

/** Everything that the Redis backend keeps. */
export interface RedisState {
  readonly options: RedisBackendOptions;
  readonly closing: AbortController;
  /** The commands of the connection, once there is one. */
  readonly commands: RedisCommands;
  readonly run: Runner;
  /** Whether tenants have limits, as scripts take it. */
  readonly limitFlag: "0" | "1";
  /** What the processes of the namespace agree on. */
  config: SharedConfig;
  /** What the keys of each partition begin with. */
  roots: string[];
  wakers: Waker[];
  connected: RedisCommands | undefined;
  listener: BackendListener | undefined;
  holder: string;
  reachable: boolean;
  /** Whether the agreement was read: until then an answer does not make the backend ready. */
  agreed: boolean;
  serverVersion: string;
  /** The server's time as last read, in milliseconds, and the monotonic time at which it was. */
  serverTime: { readonly at: number; readonly read: number } | undefined;
  /** Monotonic time of the last attempt to recount. */
  recountedAt: number;
  /** Connections of publishing that waits for replicas, by partition. */
  readonly waitingConnections: Map<number, WaitingConnection>;
  readonly durableQueues: Map<string, DurableQueue>;
  deadLetters: ReturnType<typeof createDeadLetterReader> | undefined;
  readonly queues: Map<string, ReturnType<typeof createPublishQueue>>;
  /** Spaces whose readiness is of interest. */
  readonly watched: Map<string, { space: Space; partition: number; count: number }>;
}

/** The state of a backend that has not been started yet. */
export function createRedisState(options: RedisBackendOptions): RedisState {
  const closing = new AbortController();
  const connected = (): RedisCommands => {
    if (state.connected === undefined) throw new HebraError("UNREACHABLE", "Redis has not been reached yet.");
    return state.connected;
  };
  const commands: RedisCommands = {
    evalsha: (...args) => connected().evalsha(...args),
    eval: (...args) => connected().eval(...args),
    call: (...args) => connected().call(...args),
    version: () => connected().version(),
    masters: () => connected().masters(),
    blocking: () => connected().blocking(),
    waiting: () => connected().waiting(),
    reconnect: () => state.connected?.reconnect?.(),
    close: async () => state.connected?.close(),
  };
  const state: RedisState = {
    options,
    closing,
    commands,
    run: createRunner({
      commands,
      timeoutMs: options.requestTimeoutMs,
      heard: (error) => noteAnswer(state, error),
      closing: closing.signal,
    }),
    limitFlag: options.settings.tenants === undefined ? "0" : "1",
    config: { partitions: options.partitions ?? 1, format: options.newestFormat, counted: true, fresh: false },
    roots: [],
    wakers: [],
    connected: undefined,
    listener: undefined,
    holder: "",
    reachable: false,
    agreed: false,
    serverVersion: "0",
    serverTime: undefined,
    recountedAt: -Infinity,
    waitingConnections: new Map(),
    durableQueues: new Map(),
    deadLetters: undefined,
    queues: new Map(),
    watched: new Map(),
  };
  return state;
}

/** Records that the server answered, or failed to, and reports the change. */
export function noteAnswer(state: RedisState, error?: HebraError): void {
  const { listener } = state;
  if (state.closing.signal.aborted) return;
  if (error !== undefined) {
    state.reachable = false;
    listener?.health("unreachable", error);
  } else if (!state.reachable) {
    state.reachable = true;
    // An answer alone is not enough: what all processes have agreed on may shut this one out.
    if (!state.agreed) return;
    listener?.health("ready");
    // Nobody was told what became ready in the meantime.
    for (const { space, partition } of state.watched.values()) listener?.ready(space, partition);
  }
}

/** The time argument of scripts: empty unless a test sets it. */
export function scriptTime({ options }: RedisState): string {
  return options.time === undefined ? "" : String(options.time());
}

/** The server's time in milliseconds, as far as it is known, independent of changes to this machine's clock. */
export function serverNow({ options, serverTime }: RedisState): number {
  if (options.time !== undefined) return options.time();
  if (serverTime === undefined) return options.settings.clock.now();
  return Math.round(serverTime.at + performance.now() - serverTime.read);
}

/** Reads the server's time. The answer is as old as half its way here and back. */
export async function readServerTime(state: RedisState): Promise<void> {
  const sentAt = performance.now();
  const at = Number(await runAdmin(state, 0, "in", ["time"]));
  const read = performance.now();
  state.serverTime = { at: at + (read - sentAt) / 2, read };
}

/** Runs a script on a space of a partition. */
export function runScript(
  state: RedisState,
  script: Script,
  partition: number,
  space: Space,
  args: readonly string[],
  late: () => readonly string[] = () => args,
): Promise<unknown> {
  return state.run.script(script, state.roots[partition]!, [scriptTime(state), space, ...args], () => [
    scriptTime(state),
    space,
    ...late(),
  ]);
}

/** Runs the script of operators. */
export function runAdmin(
  state: RedisState,
  partition: number,
  space: Space,
  args: readonly string[],
): Promise<unknown> {
  return runScript(state, scripts.admin, partition, space, args);
}

/** The partition that a conversation lives in. */
export function partitionFor({ config }: RedisState, conversation: string): number {
  return partitionOf(conversation, config.partitions);
}

/** Waits in real time, without keeping the process alive. */
export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
