import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { verifyGraph } from "@hebra/thread/testing";
import { crashFixture, PATIENCE } from "./crash.fixture.ts";
import { start } from "./processes.ts";
import type { Job } from "./program.ts";
import { readRecords } from "./records.ts";
import { openStore } from "./stores.ts";

const { directory, program, stores } = crashFixture("decided");

let files = 0;
type Play = Job extends infer J ? (J extends Job ? Omit<J, "store" | "records"> : never) : never;

describe.each(stores)("a process that dies while it takes a person's answer over %s", (_name, config) => {
  it.skipIf(config === undefined).each([
    ["approve", "decideApproval"],
    ["cancel", "requestCancel"],
  ] as const)(
    "%s: a sweep goes on with what it has written, and only with that",
    async (what, verb) => {
      const store = await openStore(config!);
      const play = async (job: Play) => {
        const records = join(directory, `${++files}.jsonl`);
        const ended = await start(program(), { ...job, store: config!, records } as Job, () => Promise.resolve()).ended;
        return { ended, lines: readRecords(records) };
      };
      try {
        for (const moment of ["before", "during", "after"]) {
          const key = `${what} ${moment}`;
          expect((await play({ run: "leave", key })).ended).toMatchObject({ done: true });
          const { context, active } = (await store.load("default", { key }))!;
          expect([active?.execution.status, active?.approvals.map(({ status }) => status)]).toEqual([
            "waiting",
            ["pending"],
          ]);

          const { ended, lines } = await play({ run: "decide", key, what, stopAt: `${verb} 1 ${moment}` });
          expect([ended.signal, lines.at(-1)]).toMatchObject(["SIGKILL", { event: "stopped" }]);
          const left = (await store.load("default", { key }))!.active!;
          const written = left.execution.cancelRequestedAt !== null || left.approvals[0]!.status === "approved";
          // Between the two writes is where it used to be lost: the answer is there, and nobody has been told.
          if (moment !== "during") expect(written).toBe(moment === "after");
          expect(left.execution.status).toBe("waiting");

          const swept = await play({ run: "sweep" });
          expect(swept.ended).toMatchObject({ done: true });
          const bundle = (await store.export("default", context.id))!;
          const statuses = Object.fromEntries(bundle.executions.map(({ triggerId, status }) => [triggerId, status]));
          expect({ key, statuses }).toEqual({
            key,
            statuses: written
              ? { m1: what === "approve" ? "completed" : "cancelled", m2: "completed" }
              : { m1: "waiting", m2: "queued" },
          });
          expect(verifyGraph(bundle, { settled: written })).toEqual([]);
          const paid = swept.lines.filter(
            (line) => line.event === "effect" && line.name === "refund" && line.contextId === context.id,
          );
          expect(paid).toHaveLength(written && what === "approve" ? 1 : 0);
        }
      } finally {
        await store.close();
      }
    },
    PATIENCE,
  );
});
