import assert from "node:assert/strict";
import fc from "fast-check";
import type {
  Entry,
  ExchangeReply,
  ExchangeRequest,
  RawDeadLetter,
  RawLease,
  Settle,
  TicketReply,
  TicketRequest,
} from "../backend.ts";
import type { Body } from "../envelope.ts";
import type { Mailboxes } from "../mailbox/mailbox.ts";
import { isTicket } from "../mailbox/state.ts";

/** What the model check drives: the state machine, or a server behind the same steps. */
export interface Subject {
  publish(space: string, entries: readonly Entry[]): Promise<unknown>;
  exchange(request: ExchangeRequest): Promise<ExchangeReply>;
  extend(leases: readonly RawLease[]): Promise<unknown>;
  take(lease: { conversation: string; fence: number; have: number; max: number }): Promise<Body[] | undefined>;
  ticket(request: TicketRequest): Promise<TicketReply>;
  cancelTicket(conversation: string, ticket: string): Promise<unknown>;
  unschedule(conversation: string, id: string): Promise<boolean>;
  dead(): Promise<RawDeadLetter[]>;
  changeDead(id: string, replay: boolean): Promise<boolean>;
  /** Throws when the invariant is broken. */
  check(): Promise<void>;
}

/** One step of a run; numbers choose among what there is at that time. */
export type Step =
  | { op: "publish"; entries: { conversation: number; delayed: boolean; high: boolean; again: boolean }[] }
  | {
      op: "exchange";
      want: number;
      per: number;
      settles: { pick: number; kind: number; delay: number }[];
      resend: boolean;
    }
  | { op: "take"; pick: number; max: number; resend: boolean }
  | { op: "extend" }
  | { op: "ticket"; conversation: number; tryOnly: boolean }
  | { op: "poll"; pick: number }
  | { op: "cancel"; pick: number }
  | { op: "unschedule"; pick: number }
  | { op: "dead"; pick: number; replay: boolean }
  | { op: "crash" }
  | { op: "time"; ms: number };

const nat = (max: number) => fc.nat({ max });
const bool = fc.boolean();
const rarely = fc.nat({ max: 5 }).map((n) => n === 0);

/** Any step, the frequent ones more often. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("publish" as const),
      entries: fc.array(fc.record({ conversation: nat(5), delayed: rarely, high: rarely, again: rarely }), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("exchange" as const),
      want: nat(3),
      per: fc.integer({ min: 1, max: 3 }),
      settles: fc.array(fc.record({ pick: nat(9), kind: nat(7), delay: fc.constantFrom(0, 0, 500, 3_000) }), {
        maxLength: 3,
      }),
      resend: rarely,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("take" as const),
      pick: nat(9),
      max: fc.integer({ min: 1, max: 3 }),
      resend: rarely,
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("extend" as const) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("ticket" as const), conversation: nat(5), tryOnly: bool }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("poll" as const), pick: nat(9) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("cancel" as const), pick: nat(9) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("unschedule" as const), pick: nat(9) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("dead" as const), pick: nat(9), replay: bool }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("crash" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant("time" as const), ms: fc.constantFrom(1, 100, 700, 3_000, 11_000) }),
  },
);

/** Steps that were once answered wrongly: what was found by chance is looked for every time. */
export const remembered: readonly Step[][] = [
  // The only one in line leaves while the conversation waits for a delay.
  [
    { op: "ticket", conversation: 4, tryOnly: false },
    { op: "ticket", conversation: 4, tryOnly: false },
    { op: "exchange", want: 0, per: 1, settles: [{ pick: 0, kind: 3, delay: 500 }], resend: false },
    { op: "cancel", pick: 0 },
    { op: "publish", entries: [{ conversation: 4, delayed: false, high: false, again: false }] },
    { op: "time", ms: 700 },
    { op: "exchange", want: 0, per: 1, settles: [], resend: false },
    { op: "exchange", want: 3, per: 1, settles: [], resend: false },
    { op: "exchange", want: 3, per: 1, settles: [], resend: false },
  ],
];

const conversations = ["a/1", "a/2", "a/3", "b/1", "b/2", "c%2F/1"];
const kinds = ["ack", "ack", "ack", "retry", "release", "dead", "park", "watch"] as const;
const LEASE_MS = 10_000;

interface Held extends RawLease {
  have: number;
}

/**
 * Runs steps on subjects side by side: every answer must be the same, the invariant must hold, and so must the
 * promises.
 */
export async function runModel(
  steps: readonly Step[],
  subjects: readonly Subject[],
  advance: (ms: number) => void,
): Promise<void> {
  let held: Held[] = [];
  const waitingTickets: { conversation: string; ticket: string }[] = [];
  const delayed: { conversation: string; id: string }[] = [];
  let count = 0;
  /** The process: another one after a crash. */
  let holder = "h";
  const all = async <T>(
    what: string,
    act: (subject: Subject) => Promise<T>,
    comparable: (result: T) => unknown = (result) => result,
  ): Promise<T[]> => {
    const results: T[] = [];
    for (const subject of subjects) results.push(await act(subject));
    for (const result of results.slice(1)) assert.deepEqual(comparable(result), comparable(results[0]!), what);
    return results;
  };
  const settleOf = (lease: Held, kind: (typeof kinds)[number], delay: number): Settle => {
    const { conversation, fence } = lease;
    const record = { cause: "exhausted", attempts: lease.attempt, signature: "{}" };
    const reply = {
      space: "out:g",
      conversation,
      dedupKey: `r${fence}`,
      id: `r${fence}`,
      body: `{"r":${fence}}`,
      delayMs: 0,
      interrupt: false,
      high: false,
    };
    switch (kind) {
      case "ack":
        return {
          kind,
          conversation,
          fence,
          count: Math.max(1, lease.have - (delay === 500 ? 1 : 0)),
          replies: delay === 0 ? [reply] : [],
        };
      case "dead":
        return { kind, conversation, fence, record, together: delay > 0 };
      case "park":
        return { kind, conversation, fence, record };
      case "watch":
        return { kind, conversation, fence };
      default:
        return { kind, conversation, fence, delayMs: delay };
    }
  };
  for (const [index, step] of steps.entries()) {
    const what = `step ${index}: ${JSON.stringify(step)}`;
    if (step.op === "time") advance(step.ms);
    else if (step.op === "crash") {
      held = [];
      holder = `h${index}`;
    } else if (step.op === "publish") {
      const entries = step.entries.map(({ conversation, delayed: late, high, again }): Entry => {
        const id = again && count > 0 ? `m${count}` : `m${++count}`;
        const entry = {
          conversation: conversations[conversation]!,
          dedupKey: id,
          id,
          body: `{"v":1,"enqueuedAt":${count},"id":"${id}"}`,
          delayMs: late ? 2_000 : 0,
          interrupt: false,
          high,
        };
        if (late) delayed.push(entry);
        return entry;
      });
      await all(what, (subject) => subject.publish("in", entries));
    } else if (step.op === "exchange") {
      const chosen = new Map<Held, Settle>();
      for (const { pick, kind, delay } of step.settles) {
        const lease = held[pick % Math.max(1, held.length)];
        if (lease === undefined || chosen.has(lease)) continue;
        // A claim's holder has no message of its own to fail: it acks or releases.
        const name = kinds[kind]!;
        chosen.set(
          lease,
          settleOf(
            lease,
            lease.bodies.length === 0 && ["retry", "dead", "park"].includes(name) ? "release" : name,
            delay,
          ),
        );
      }
      const request = {
        space: "in",
        requester: "x",
        requestId: `${index}`,
        holder,
        settles: [...chosen.values()],
        want: step.want,
        perConversation: step.per,
        leaseMs: LEASE_MS,
      };
      const [reply] = await all(what, (subject) => subject.exchange(request));
      if (step.resend) {
        for (const subject of subjects.slice(1))
          assert.deepEqual(
            { ...(await subject.exchange(request)), nextDueMs: undefined },
            { ...reply, nextDueMs: undefined },
            `${what} sent again`,
          );
      }
      held = held.filter((lease) => !chosen.has(lease) || chosen.get(lease)!.kind === "watch");
      for (const lease of reply!.leases) {
        held = held.filter((other) => other.conversation !== lease.conversation);
        held.push({ ...lease, have: lease.bodies.length });
      }
    } else if (step.op === "take") {
      const lease = held[step.pick % Math.max(1, held.length)];
      if (lease === undefined) continue;
      const request = { conversation: lease.conversation, fence: lease.fence, have: lease.have, max: step.max };
      const [given] = await all(what, (subject) => subject.take(request));
      if (step.resend)
        for (const subject of subjects) assert.deepEqual(await subject.take(request), given, `${what} sent again`);
      lease.have += given?.length ?? 0;
    } else if (step.op === "extend") await all(what, (subject) => subject.extend(held));
    else if (step.op === "ticket") {
      const conversation = conversations[step.conversation]!;
      const ticket = `t${index}`;
      const [reply] = await all(what, (subject) =>
        subject.ticket({ conversation, ticket, holder: "h", ttlMs: LEASE_MS, tryOnly: step.tryOnly }),
      );
      grant(conversation, ticket, reply!);
    } else if (step.op === "poll") {
      const waiting = waitingTickets[step.pick % Math.max(1, waitingTickets.length)];
      if (waiting === undefined) continue;
      const [reply] = await all(what, (subject) =>
        subject.ticket({ ...waiting, holder: "h", ttlMs: LEASE_MS, tryOnly: false }),
      );
      waitingTickets.splice(waitingTickets.indexOf(waiting), 1);
      grant(waiting.conversation, waiting.ticket, reply!);
    } else if (step.op === "cancel") {
      const waiting = waitingTickets[step.pick % Math.max(1, waitingTickets.length)];
      if (waiting === undefined) continue;
      waitingTickets.splice(waitingTickets.indexOf(waiting), 1);
      await all(
        what,
        (subject) => subject.cancelTicket(waiting.conversation, waiting.ticket),
        () => undefined,
      );
    } else if (step.op === "unschedule") {
      const late = delayed[step.pick % Math.max(1, delayed.length)];
      if (late !== undefined) await all(what, (subject) => subject.unschedule(late.conversation, late.id));
    } else {
      // In the order of their messages: which of two that died in one millisecond came first, no one promises.
      const byBody = async (subject: Subject) =>
        (await subject.dead()).sort((a, b) => (a.body + a.conversation < b.body + b.conversation ? -1 : 1));
      const letters = await all(what, byBody, (list) => list.map(({ id: _id, ...letter }) => letter));
      const pick = step.pick % Math.max(1, letters[0]!.length);
      const changed: boolean[] = [];
      for (const [i, subject] of subjects.entries())
        if (letters[i]![pick] !== undefined) changed.push(await subject.changeDead(letters[i]![pick]!.id, step.replay));
      assert.ok(new Set(changed).size <= 1, what);
    }
    if (index % 8 === 0 || index === steps.length - 1) for (const subject of subjects) await subject.check();
  }

  function grant(conversation: string, ticket: string, reply: TicketReply): void {
    if (reply === "waiting") waitingTickets.push({ conversation, ticket });
    if (typeof reply !== "object") return;
    held = held.filter((lease) => lease.conversation !== conversation);
    held.push({ conversation, fence: reply.fence, attempt: 1, bodies: [], have: 1 });
  }
}

/** The invariant of the state machine: a mailbox is not empty ⇔ its conversation is in exactly one of {lane, due}. */
export function checkMailboxes(mailboxes: Mailboxes): void {
  for (const space of mailboxes.spaces.values()) {
    const places = new Map<string, number>();
    for (const lane of Object.values(space.lanes)) {
      for (const [tenant, line] of lane.ready) {
        assert.ok(line.length > 0, `the line of ${tenant} is empty`);
        for (const conversation of line.values()) places.set(conversation.key, (places.get(conversation.key) ?? 0) + 1);
      }
    }
    for (const item of space.due.items())
      if (item.kind === "conversation") places.set(item.key, (places.get(item.key) ?? 0) + 1);
    for (const [key, conversation] of space.conversations) {
      assert.ok(conversation.entries.length > 0, `${key} is empty but not forgotten`);
      assert.equal(places.get(key), 1, `${key} is in ${places.get(key) ?? 0} places`);
      assert.ok(
        conversation.leased <= conversation.entries.length && conversation.fence > 0 === conversation.leased > 0,
        `${key} has a broken lease`,
      );
    }
    assert.equal(places.size, space.conversations.size, "a place holds what has no mailbox");
    const all = [...space.conversations.values()];
    const messages = all.flatMap(({ entries }) => entries.values().filter((entry) => !isTicket(entry)));
    const [leased, parked] = [all.filter((it) => it.leased > 0), all.filter((it) => it.parkedBy !== "")];
    assert.deepEqual(
      space.counts,
      { depth: messages.length, leased: leased.length, parked: parked.length },
      `the kept counts of ${space.name} are what is counted`,
    );
  }
}
