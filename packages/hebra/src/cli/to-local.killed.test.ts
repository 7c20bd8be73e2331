import { sample } from "@hebra/test-servers/sample";
import { withoutRedisServer } from "@hebra/test-servers/redis";
import { describe, expect, it } from "vitest";
import { CHATS, TIME, toLocalBench } from "./testing/to-local.fixture.ts";

describe.skipIf(withoutRedisServer !== undefined)("hebra to-local", () => {
  const { busy, checkLocal, progressOf } = toLocalBench();

  it(
    "can be killed at every step, and goes on when it is run again",
    async () => {
      const made = await busy("k");
      made.running.child.kill("SIGKILL");
      await made.running.exit;
      const killed: string[] = [];
      // A kill in the first five is certain to come in time; the last ones are quick.
      const steps = [
        ...sample("steps of to-local", ["check", "pause", "drain", "stop", "move"], 2),
        ...sample("late steps of to-local", ["export", "import", "switch", "verify"], 1),
      ];
      for (const step of steps) {
        const moving = made.toLocal();
        await moving.line((line) => line.includes(`"step":"${step}","state":"begun"`), `it comes to ${step}`, TIME);
        moving.child.kill("SIGKILL");
        const { signal } = await moving.exit;
        if (signal === "SIGKILL") killed.push(step);
        else expect(progressOf(moving).at(-1)).toMatchObject({ ok: true });
      }
      const certain = steps.filter((step) => ["check", "pause", "drain", "stop", "move"].includes(step));
      expect(killed.slice(0, certain.length)).toEqual(certain);
      const last = made.toLocal();
      expect(await last.exit).toEqual({ code: 0, signal: null });
      expect(progressOf(last).at(-1)).toMatchObject({ ok: true, moved: { scheduled: 1, replies: CHATS } });
      await checkLocal(made);
    },
    TIME,
  );
});
