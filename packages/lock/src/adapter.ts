/** What every lock manager is made of, whatever keeps its leases: for those who write one. */
export { assertFence } from "./fence.ts";
export { HeldLease, type LeaseBackend, type LeaseStart } from "./held-lease.ts";
export { managerShape, readAcquireOptions } from "./options.ts";
export { outcomes } from "./outcomes.ts";
export { waitInLine, type Waiter, type WaitRequest } from "./redis/wait-in-line.ts";
export { createTimerSlots, type Timed, type TimerSlots } from "./timer-slots.ts";
