export { createThreadClient, type ThreadClient, type ThreadClientOptions } from "./client.ts";
export { ThreadRequestError } from "./http.ts";
export type { FetchLike, ResponseLike, Timer } from "./platform.ts";
export { emptyState, reduce, type Change, type ReducerState } from "./reduce.ts";
export type { ClientThread } from "./thread.ts";
export type { Approval, Item, ListedThread, Message, Part, Snapshot, ThreadEvent } from "./types.ts";
