import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "vitest";
import { createMailboxes, type MailboxSettings } from "./mailbox/mailbox.ts";
import { anyStep, checkMailboxes, remembered, runModel } from "./testing/model.fixture.ts";
import { mailboxSubject, modelSettings } from "./testing/model-subjects.fixture.ts";

const seed = Number(process.env["HEBRA_SEED"] ?? 20_261_121);

describe("the mailbox state machine", () => {
  it("keeps its invariant under any steps", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...modelSettings),
        fc.array(anyStep, { minLength: 20, maxLength: 120, size: "max" }),
        async (settings, steps) => {
          let now = 1_000_000;
          await runModel(steps, [mailboxSubject(settings, () => now)], (ms) => void (now += ms));
        },
      ),
      { seed, numRuns: 300, examples: remembered.map((steps) => [modelSettings[0]!, steps]) },
    );
  });

  it("delivers every accepted message, in order, under any failures", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            conversation: fc.nat({ max: 3 }),
            fate: fc.nat({ max: 4 }),
            per: fc.integer({ min: 1, max: 4 }),
          }),
          { minLength: 1, maxLength: 60, size: "max" },
        ),
        async (rounds) => {
          let now = 1_000_000;
          const settings: MailboxSettings = {
            maxBacklog: 1_000,
            overflow: "reject",
            dedupWindowMs: 1e9,
            maxDeadLetters: 10,
            limitsOf: undefined,
          };
          const mailboxes = createMailboxes(settings, { ready() {}, notice() {} });
          const sent: Record<string, number[]> = {};
          const done: Record<string, number[]> = {};
          const work = (fate: number, per: number) => {
            now += 50;
            const { leases } = mailboxes.exchange(
              {
                space: "in",
                requester: "x",
                requestId: "",
                holder: "h",
                settles: [],
                want: 2,
                perConversation: per,
                leaseMs: 100,
              },
              now,
            );
            for (const { conversation, fence, bodies } of leases) {
              if (fate === 0) continue;
              const settle =
                fate === 1
                  ? ({ kind: "retry", delayMs: 70 } as const)
                  : fate === 2
                    ? ({ kind: "release", delayMs: 0 } as const)
                    : ({ kind: "ack", count: bodies.length, replies: [] } as const);
              const { settled } = mailboxes.exchange(
                {
                  space: "in",
                  requester: "x",
                  requestId: "",
                  holder: "h",
                  settles: [{ conversation, fence, ...settle }],
                  want: 0,
                  perConversation: 1,
                  leaseMs: 100,
                },
                now,
              );
              assert.equal(settled[0], 0);
              if (settle.kind === "ack") (done[conversation] ??= []).push(...bodies.map(Number));
            }
          };
          rounds.forEach(({ conversation, fate, per }, i) => {
            const key = `t/${conversation}`;
            mailboxes.publish(
              "in",
              [
                {
                  conversation: key,
                  dedupKey: undefined,
                  id: `${i}`,
                  body: `${i}`,
                  delayMs: 0,
                  interrupt: false,
                  high: false,
                },
              ],
              now,
            );
            (sent[key] ??= []).push(i);
            work(fate, per);
            checkMailboxes(mailboxes);
          });
          for (let i = 0; i < rounds.length * 3 + 20; i++) work(4, 3);
          assert.deepEqual(done, sent);
          assert.equal(mailboxes.spaces.get("in")!.conversations.size, 0);
        },
      ),
      { seed, numRuns: 100 },
    );
  });
});
