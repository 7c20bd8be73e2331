export { createLeader, type Leader, type LeaderOptions, type Leadership } from "./leader.ts";
export { localLocks } from "./local.ts";
export { lockKey, type AcquireOptions, type Lease, type LockManager } from "./lock.ts";
export type { LockManagerOptions } from "./options.ts";
export { withLock } from "./with-lock.ts";
