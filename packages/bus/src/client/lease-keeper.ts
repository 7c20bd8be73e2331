import type { Clock } from "@hebra/core";
import type { Backend, Space } from "../backend.ts";

/**
 * The part of its time by which a holder gives a lease up before the backend does, and at most how many milliseconds.
 */
const MARGIN = 0.1;
const MAX_MARGIN_MS = 1_000;

/**
 * When a holder takes its lease for lost, in monotonic time. It counts from before the request, and ends a moment
 * before the
 * backend's own: a timer that comes late, on a busy machine, still comes before anybody else gets the conversation.
 */
export function lostAt(sentAt: number, leaseMs: number): number {
  return sentAt + leaseMs - Math.min(leaseMs * MARGIN, MAX_MARGIN_MS);
}

/** A lease that is kept alive. */
export interface KeptLease {
  readonly space: Space;
  readonly partition: number;
  readonly conversation: string;
  readonly fence: number;
  /** Monotonic time at which the lease may have passed to another. */
  deadline: number;
  /** Called once when the lease is lost. */
  lose(): void;
}

/** A conversation that this process holds, as far as the whole bus cares. */
export interface HeldConversation extends KeptLease {
  /** Gives it back, unless its handler has settled it. */
  evict(): Promise<unknown>;
}

/** Renews leases every third of their time, many in one call. */
export interface LeaseKeeper<Lease extends KeptLease = KeptLease> {
  add(lease: Lease): void;
  remove(lease: Lease): void;
  /** Renews one now. @returns whether it is still held */
  renew(lease: Lease): Promise<boolean>;
  close(): void;
}

/** A keeper of the leases in a set, which it alone changes. */
export function createLeaseKeeper<Lease extends KeptLease>(
  backend: Backend,
  clock: Clock,
  leaseMs: number,
  leases: Set<Lease>,
): LeaseKeeper<Lease> {
  let cancelTimer: (() => void) | undefined;
  let beating = false;

  const lose = (lease: Lease) => {
    if (leases.delete(lease)) lease.lose();
  };

  const arm = (afterMs: number) => {
    cancelTimer?.();
    cancelTimer = leases.size === 0 ? undefined : clock.after(Math.max(1, afterMs), () => void beat());
  };

  const renewGroup = async (group: Lease[]) => {
    const { partition, space } = group[0]!;
    const sentAt = clock.monotonic();
    const held = await backend.extend(partition, space, group, leaseMs);
    group.forEach((lease, i) => {
      if (held[i] === true) lease.deadline = lostAt(sentAt, leaseMs);
      else lose(lease);
    });
  };

  const beat = async () => {
    cancelTimer = undefined;
    if (beating) return;
    beating = true;
    for (const lease of leases) if (lease.deadline <= clock.monotonic()) lose(lease);
    const groups = new Map<string, Lease[]>();
    for (const lease of leases) {
      const key = `${lease.partition} ${lease.space}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [lease]);
      else group.push(lease);
    }
    const guard = armDeadlines();
    const results = await Promise.allSettled([...groups.values()].map(renewGroup));
    guard();
    beating = false;
    const failed = results.some((result) => result.status === "rejected");
    if (!failed) return armUsual();
    arm(Math.min(1_000, leaseMs / 10, earliest() - clock.monotonic()));
  };

  /** At the next third; at once where an answer took so long that a lease has little left. */
  const armUsual = () => arm(earliest() - clock.monotonic() < leaseMs / 2 ? 0 : leaseMs / 3);

  const earliest = () => {
    let time = Infinity;
    for (const lease of leases) time = Math.min(time, lease.deadline);
    return time;
  };

  /** While an answer is awaited, leases still end on time. */
  const armDeadlines = (): (() => void) => {
    let cancel = () => {};
    const watch = () => {
      const next = earliest();
      if (next === Infinity) return;
      cancel = clock.after(Math.max(1, next - clock.monotonic()), () => {
        for (const lease of leases) if (lease.deadline <= clock.monotonic()) lose(lease);
        watch();
      });
    };
    watch();
    return () => cancel();
  };

  return {
    add(lease) {
      leases.add(lease);
      if (beating) return;
      if (cancelTimer === undefined || lease.deadline - clock.monotonic() < leaseMs / 2) armUsual();
    },
    remove: (lease) => void leases.delete(lease),
    async renew(lease) {
      await renewGroup([lease]);
      return leases.has(lease);
    },
    close() {
      cancelTimer?.();
      leases.clear();
    },
  };
}
