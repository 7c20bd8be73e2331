import { localLocks } from "@hebra/lock";
import { expect, it } from "vitest";
import { memoryStore } from "../store/memory.ts";
import { action, expectSettled, scripted } from "./engine.fixture.ts";
import { createEngine } from "./engine.ts";

it("a write that was cut off alone in its batch is put on record, and the model told", async () => {
  const store = memoryStore();
  const locks = localLocks();
  const seen: unknown[] = [];
  let runs = 0;
  let started = () => {};
  const running = new Promise<void>((resolve) => (started = resolve));
  const pay = action(() => {
    runs++;
    started();
    return new Promise(() => {});
  });
  const make = () =>
    scripted([{ actions: [{ name: "pay", input: {} }] }, (input) => {
      seen.push(input.transcript.at(-1)?.parts.at(-1));
      return { text: "I shall check." };
    }], { actions: { pay } });
  const first = createEngine({ store, threads: [make()], locks });
  const turn = await first.react("test", { id: "m1", text: "Pay." }, { address: { key: "customer-7" } });
  turn.result.catch(() => undefined);
  await running;
  await first.close();

  const second = createEngine({ store, threads: [make()], locks });
  await second.recover({ olderThanMs: -1 });
  await second.idle();
  expect(await (await second.follow(turn.executionId)).result).toMatchObject({ status: "completed", text: "I shall check." });
  expect(runs).toBe(1);
  expect((await store.execution("default", turn.executionId))?.calls).toMatchObject([{ status: "interrupted", error: { code: "ACTION_INTERRUPTED" } }]);
  expect(seen).toMatchObject([{ name: "pay", status: "failed", error: expect.stringContaining("Whether it took effect is unknown") as string }]);
  await expectSettled(store);
  await second.close();
});
