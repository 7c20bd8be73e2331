import { localLocks } from "@hebra/lock";
import type { ReactorInput } from "@hebra/reactor";
import { expect, it } from "vitest";
import * as z from "zod";
import { memoryStore } from "../store/memory.ts";
import { action, expectSettled, scripted, setUp } from "./engine.fixture.ts";
import { createEngine } from "./engine.ts";

const output = z.object({ city: z.string(), days: z.number().int() });
const good = { city: "Quito", days: 3 };
const lastWords = ({ transcript }: ReactorInput) => {
  const { role, parts } = transcript.at(-1)!;
  const part = parts.at(-1)!;
  return { role, text: part.kind === "text" ? part.text : part.kind };
};

it("a wrong answer is asked for again with what was wrong, and nobody said so in the history", async () => {
  const seen: ReturnType<typeof lastWords>[] = [];
  const say = (text: string) => (input: ReactorInput) => (seen.push(lastWords(input)), { text });
  const definition = scripted(
    [say('```json\n{"city":"Quito"}\n```'), say('{"city":"Quito","days":"three"}'), say(JSON.stringify(good))],
    { policy: { output } },
  );
  const { store, engine, address } = setUp(definition);
  const turn = await engine.react("test", { id: "m1", text: "Plan a trip." }, { address });
  expect(await turn.result).toMatchObject({ status: "completed", reason: "stop", output: good });
  expect(seen).toMatchObject([
    { role: "user", text: "Plan a trip." },
    {
      role: "user",
      text: expect.stringMatching(
        /^Your last answer cannot be used: it is not JSON alone\. Answer again with nothing but JSON/,
      ) as string,
    },
    { role: "user", text: expect.stringMatching(/^Your last answer cannot be used: .*days/) as string },
  ]);
  expect((await engine.history(address)).map(({ item }) => item.kind)).toEqual(["trigger", "reaction"]);

  // The next turn knows nothing of it either.
  await (
    await engine.react("test", { id: "m2", text: "Another." }, { address })
  ).result;
  expect(seen[3]).toEqual({ role: "user", text: "Another." });
  await expectSettled(store);
  await engine.close();
});

it("an answer that stays wrong ends the turn as incomplete, after as many questions as the policy allows", async () => {
  let asked = 0;
  const { engine, address } = setUp(scripted([() => (asked++, { text: "" })], { policy: { output, maxReasks: 1 } }));
  const turn = await engine.react("test", { id: "m1", text: "Plan." }, { address });
  expect(await turn.result).toMatchObject({ status: "incomplete", reason: "invalid-output", output: null });
  expect(asked).toBe(2);
  await engine.close();
});

it("a forgotten action is named and must be called", async () => {
  const seen: unknown[] = [];
  const look = (input: ReactorInput) => seen.push([lastWords(input).text, input.actionChoice]);
  const definition = scripted(
    [
      (input) => (look(input), { text: "Done." }),
      (input) => (look(input), { actions: [{ name: "finish", input: {} }] }),
    ],
    {
      actions: { finish: action(() => "ok") },
      policy: { requiredAction: "finish" },
    },
  );
  const { engine, address } = setUp(definition);
  const turn = await engine.react("test", { id: "m1", text: "Do it." }, { address });
  expect(await turn.result).toMatchObject({ status: "completed", reason: "required-action" });
  expect(seen).toEqual([
    ["Do it.", "auto"],
    [
      "You have not finished: the action finish has not been called with success yet. Call it now.",
      { action: "finish" },
    ],
  ]);
  await engine.close();
});

it("a turn that was cut off between the two asks again in the same words", async () => {
  const store = memoryStore();
  const locks = localLocks();
  const seen: string[] = [];
  let reached = () => {};
  const second = new Promise<void>((resolve) => (reached = resolve));
  const make = (hang: boolean) =>
    scripted(
      [
        { text: "no JSON" },
        (input) => {
          seen.push(lastWords(input).text);
          reached();
          return hang ? new Promise(() => {}) : { text: JSON.stringify(good) };
        },
      ],
      { policy: { output } },
    );
  const first = createEngine({ store, locks, threads: [make(true)] });
  const turn = await first.react("test", { id: "m1", text: "Plan." }, { address: { key: "customer-7" } });
  await second;
  await first.close();
  const next = createEngine({ store, locks, threads: [make(false)] });
  await next.recover({ olderThanMs: -1 });
  await next.idle();
  expect(await (await next.follow(turn.executionId)).result).toMatchObject({ status: "completed", output: good });
  expect(seen).toHaveLength(2);
  expect(seen[0]).toBe(seen[1]);
  await expectSettled(store);
  await next.close();
});
