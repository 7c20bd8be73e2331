import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { encodeTenant, parseBusOptions, tenantLimits, type BusOptions } from "../bus-options.ts";
import { createMailboxes, type MailboxSettings } from "../mailbox/mailbox.ts";
import type { RedisBackend } from "../redis/backend.ts";
import { checkMailboxes, type Subject } from "./model.fixture.ts";

/** Options under which the model is checked: small limits, so that they are met. */
export const modelOptions: BusOptions[] = [
  {},
  { maxBacklog: 3 },
  { maxBacklog: 3, overflow: "drop-oldest" },
  { tenants: { default: { maxInFlight: 1 }, byTenant: { b: { weight: 2 } } } },
  { tenants: { default: { perMinute: 60, burst: 2 }, byTenant: { a: { weight: 3, maxInFlight: 2 } } } },
];

/** The same as settings of the state machine. */
export const modelSettings: MailboxSettings[] = modelOptions.map(toSettings);

/** Settings of the state machine. */
export function toSettings(options: BusOptions): MailboxSettings {
  const settings = parseBusOptions("model", options);
  return { ...settings, limitsOf: tenantLimits(settings, encodeTenant) };
}

/** The state machine as a subject. */
export function mailboxSubject(settings: MailboxSettings, now: () => number): Subject {
  const mailboxes = createMailboxes(settings, { ready() {}, notice() {} });
  return {
    publish: async (space, entries) => mailboxes.publish(space, entries, now()),
    exchange: async (request) => mailboxes.exchange(request, now()),
    extend: async (leases) => mailboxes.extend("in", leases, 10_000, now()),
    take: async (lease) => mailboxes.take("in", lease),
    ticket: async (request) => mailboxes.ticket(request, now()),
    cancelTicket: async (conversation, ticket) => mailboxes.cancelTicket(conversation, ticket, now()),
    unschedule: async (conversation, id) => mailboxes.unschedule({ conversation, id, dedupKey: id }),
    dead: async () => mailboxes.dead.list(1_000, undefined),
    changeDead: async (id, replay) =>
      replay ? mailboxes.replayDead(id, mailboxes.dead.get(id)!.body, now()) : mailboxes.discardDead(id, now()),
    check: async () => checkMailboxes(mailboxes),
  };
}

/** A server as a subject, through the adapter's backend with one partition. */
export function redisSubject(backend: RedisBackend, admin: Redis, root: string): Subject {
  return {
    publish: async (space, entries) => (await backend.publish(space, 0, entries, "memory")).statuses,
    exchange: (request) => backend.exchange(0, request),
    extend: (leases) => backend.extend(0, "in", leases, 10_000),
    take: (lease) => backend.take("in", lease),
    ticket: (request) => backend.ticket(request),
    cancelTicket: (conversation, ticket) => backend.cancelTicket(conversation, ticket, "h"),
    unschedule: (conversation, id) => backend.unschedule({ conversation, id, dedupKey: id }),
    dead: () => backend.listDead(1_000, undefined),
    async changeDead(id, replay) {
      return replay ? backend.replayDead(id, (await backend.getDead(id))!.body) : backend.discardDead(id);
    },
    check: () => checkServer(admin, root),
  };
}

/** The invariant, read off the server's keys. */
export async function checkServer(admin: Redis, root: string): Promise<void> {
  for (const space of ["in", "out:g"]) {
    const prefix = `${root}${space}:`;
    const keys = await admin.keys(`${prefix.replace(/[[\]{}*?]/g, "\\$&")}*`);
    const mailboxes = keys.filter((key) => key.startsWith(`${prefix}q:`)).map((key) => key.slice(`${prefix}q:`.length));
    const lines = keys.filter((key) => /^rh?:/.test(key.slice(prefix.length)));
    const ready = (await Promise.all(lines.map((key) => admin.lrange(key, "0", "-1")))).flat();
    const due = (await admin.zrange(`${prefix}due`, "0", "-1"))
      .filter((member) => member.startsWith("c"))
      .map((member) => member.slice(1));
    const leases = await admin.hkeys(`${prefix}m`);
    assert.deepEqual([...ready, ...due].sort(), mailboxes.sort(), `each mailbox of ${space} is in one place`);
    for (const conversation of leases)
      assert.ok(mailboxes.includes(conversation), `${conversation} has a lease and no mailbox`);
    const tenants = [
      ...(await admin.lrange(`${prefix}ring`, "0", "-1")).map((tenant) => `r:${tenant}`),
      ...(await admin.lrange(`${prefix}ringh`, "0", "-1")).map((tenant) => `rh:${tenant}`),
    ];
    const parked = (await admin.zrange(`${prefix}due`, "0", "-1"))
      .filter((member) => member.startsWith("p"))
      .map((member) => (member[1] === "h" ? "rh:" : "r:") + member.slice(2));
    assert.deepEqual(
      [...tenants, ...parked].sort(),
      lines.map((key) => key.slice(prefix.length)).sort(),
      `each line of ${space} has its tenant in one place`,
    );
    const bodies = await Promise.all(mailboxes.map((key) => admin.lrange(`${prefix}q:${key}`, "0", "-1")));
    const counted = {
      depth: bodies.flat().filter((body) => !body.startsWith("\u0001")).length,
      leased: (await leasesIn(admin, `${prefix}m`)).length,
      parked: parked.length,
    };
    const kept = await admin.hgetall(`${prefix}cnt`);
    const expected = Object.fromEntries(Object.entries(counted).filter(([, count]) => count !== 0));
    assert.deepEqual(
      Object.fromEntries(Object.entries(kept).map(([what, count]) => [what, Number(count)])),
      expected,
      `the kept counts of ${space} are what is counted`,
    );
  }
}

/** The conversations that a server holds on lease: their packed records begin with a fence that is not 0. */
async function leasesIn(admin: Redis, key: string): Promise<string[]> {
  const records = await admin.hgetallBuffer(key);
  return Object.keys(records).filter((conversation) => records[conversation]![0] !== 0);
}
