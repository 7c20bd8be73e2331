import { Deque } from "./deque.ts";
import type { Conversation, LaneName, ParkedTenant, SpaceState, TenantLimits } from "./state.ts";

/** Conversations of the fast lane served before one of the normal lane. */
export const HIGH_RUN = 8;

/** One delivery, in the units of a token bucket: a rate per minute refills `perMinute` units a millisecond. */
const UNITS = 60_000;

/** Puts a conversation at the end of its tenant's line. */
export function enterLane(space: SpaceState, conversation: Conversation): void {
  const lane = space.lanes[conversation.high ? "high" : "normal"];
  let line = lane.ready.get(conversation.tenant);
  if (line === undefined) lane.ready.set(conversation.tenant, (line = new Deque()));
  if (line.push(conversation) === 1) lane.ring.push(conversation.tenant);
}

/** A parked tenant is back in line, if it was parked. */
export function unpark(space: SpaceState, lane: LaneName, tenant: string): void {
  const parked = space.parkedTenants.get(`${lane}:${tenant}`);
  if (parked === undefined) return;
  space.due.remove(parked);
  space.parkedTenants.delete(`${lane}:${tenant}`);
  space.lanes[lane].ring.push(tenant);
}

function park(space: SpaceState, lane: LaneName, tenant: string, until: number): void {
  const key = `${lane}:${tenant}`;
  const parked: ParkedTenant = {
    kind: "tenant",
    dueKey: `p${lane[0]!}${tenant}`,
    lane,
    tenant,
    dueAt: until,
    heapIndex: -1,
  };
  space.parkedTenants.set(key, parked);
  space.due.set(parked, until);
  space.credits.delete(key);
}

/** A lease of a capped tenant began, or was prolonged. */
export function countLease(
  space: SpaceState,
  conversation: Conversation,
  deadline: number,
  limits: TenantLimits | undefined,
): void {
  if (limits?.maxInFlight === undefined) return;
  let leases = space.leasesOfTenant.get(conversation.tenant);
  if (leases === undefined) space.leasesOfTenant.set(conversation.tenant, (leases = new Map()));
  leases.set(conversation.key, deadline);
}

/** A lease ended: a capped tenant may be served again. */
export function uncountLease(space: SpaceState, conversation: Conversation, limits: TenantLimits | undefined): void {
  if (limits?.maxInFlight === undefined) return;
  const leases = space.leasesOfTenant.get(conversation.tenant);
  leases?.delete(conversation.key);
  if (leases?.size === 0) space.leasesOfTenant.delete(conversation.tenant);
  unpark(space, "high", conversation.tenant);
  unpark(space, "normal", conversation.tenant);
}

/** How many the cap lets through now, or until when none. */
function capRoom(space: SpaceState, tenant: string, cap: number, now: number): { room: number; until: number } {
  const leases = space.leasesOfTenant.get(tenant);
  if (leases === undefined) return { room: cap, until: now };
  let until = Infinity;
  for (const [key, deadline] of leases) {
    if (deadline <= now) leases.delete(key);
    else until = Math.min(until, deadline);
  }
  return { room: cap - leases.size, until };
}

function bucketOf(space: SpaceState, tenant: string, limits: TenantLimits, now: number): { units: number; at: number } {
  const bucket = space.buckets.get(tenant) ?? { units: limits.burst * UNITS, at: now };
  const elapsed = Math.max(0, now - bucket.at);
  return { units: Math.min(limits.burst * UNITS, bucket.units + elapsed * limits.perMinute!), at: now };
}

/** Whether a tenant's limits let one more through, whose delivery is then counted. */
export function mayLeaseOne(space: SpaceState, tenant: string, limits: TenantLimits | undefined, now: number): boolean {
  if (limits?.maxInFlight !== undefined && capRoom(space, tenant, limits.maxInFlight, now).room <= 0) return false;
  if (limits?.perMinute === undefined) return true;
  const bucket = bucketOf(space, tenant, limits, now);
  if (bucket.units < UNITS) return false;
  space.buckets.set(tenant, { units: bucket.units - UNITS, at: now });
  return true;
}

/** Leases one conversation that was taken out of its lane. */
export type LeaseOne = (conversation: Conversation) => void;

/** Serves the tenants of a lane once round, at most `quota` conversations. @returns how many were leased */
function serveLane(
  space: SpaceState,
  name: LaneName,
  quota: number,
  now: number,
  limitsOf: LimitsOf,
  leaseOne: LeaseOne,
): number {
  const lane = space.lanes[name];
  let served = 0;
  for (let tenants = lane.ring.length; tenants > 0 && served < quota; tenants--) {
    const tenant = lane.ring.shift()!;
    const line = lane.ready.get(tenant)!;
    const limits = limitsOf?.(tenant);
    const creditKey = `${name}:${tenant}`;
    let turn = Math.max(1, Math.floor((quota - served) / tenants));
    let credit = turn;
    if (limits !== undefined) {
      credit = space.credits.get(creditKey) ?? limits.weight;
      turn = Math.min(quota - served, credit);
      if (limits.maxInFlight !== undefined) {
        const { room, until } = capRoom(space, tenant, limits.maxInFlight, now);
        turn = Math.min(turn, room);
        if (turn <= 0) {
          park(space, name, tenant, until);
          continue;
        }
      }
      if (limits.perMinute !== undefined) {
        const bucket = bucketOf(space, tenant, limits, now);
        turn = Math.min(turn, Math.floor(bucket.units / UNITS));
        if (turn <= 0) {
          space.buckets.set(tenant, bucket);
          park(space, name, tenant, now + Math.ceil((UNITS - bucket.units) / limits.perMinute));
          continue;
        }
      }
    }
    const taken = Math.min(turn, line.length);
    for (let i = 0; i < taken; i++) leaseOne(line.shift()!);
    served += taken;
    if (limits?.perMinute !== undefined) {
      const bucket = bucketOf(space, tenant, limits, now);
      space.buckets.set(tenant, { units: bucket.units - taken * UNITS, at: now });
    }
    if (line.length === 0) {
      lane.ready.delete(tenant);
      space.credits.delete(creditKey);
    } else if (limits !== undefined && credit > taken) {
      lane.ring.unshift(tenant);
      space.credits.set(creditKey, credit - taken);
    } else {
      lane.ring.push(tenant);
      space.credits.delete(creditKey);
    }
  }
  return served;
}

/** The limits of a tenant; absent when no tenant has any. */
export type LimitsOf = ((tenant: string) => TenantLimits) | undefined;

/** Serves both lanes, at most `want` conversations: eight of the fast lane, then one of the normal one. */
export function serve(space: SpaceState, want: number, now: number, limitsOf: LimitsOf, leaseOne: LeaseOne): void {
  let remaining = want;
  while (remaining > 0) {
    const high = space.lanes.high.ring.length > 0;
    const normal = space.lanes.normal.ring.length > 0;
    if (!high && !normal) return;
    if (!high) {
      remaining -= serveLane(space, "normal", remaining, now, limitsOf, leaseOne);
      continue;
    }
    if (!normal) {
      remaining -= serveLane(space, "high", remaining, now, limitsOf, leaseOne);
    } else if (space.highRun < HIGH_RUN) {
      const served = serveLane(space, "high", Math.min(remaining, HIGH_RUN - space.highRun), now, limitsOf, leaseOne);
      space.highRun += served;
      remaining -= served;
    } else {
      space.highRun = 0;
      remaining -= serveLane(space, "normal", 1, now, limitsOf, leaseOne);
    }
    if (space.lanes.high.ring.length === 0) space.highRun = 0;
  }
}

/** Whether anything could be served at once. */
export function hasReady(space: SpaceState): boolean {
  return space.lanes.high.ring.length > 0 || space.lanes.normal.ring.length > 0;
}
