export { lockKey, type AcquireOptions, type Lease, type LockManager } from "./lock.ts";
