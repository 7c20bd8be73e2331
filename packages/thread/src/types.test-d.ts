import * as z from "zod";
import { defineAction, defineThread, withState, type Engine, type ThreadEvent, type TurnHandle } from "./index.ts";

// What must compile, and what must not: `tsc -b` is the test [NC-3].
declare const engine: Engine;
const state = z.object({ orders: z.number() });

/** An action in its thread knows the thread's state and services. */
export const desk = defineThread({
  name: "desk",
  state,
  initialState: { orders: 0 },
  services: () => ({ find: (id: string) => id.length }),
  actions: ({ action }) => ({
    look: action({
      description: "Looks.",
      input: z.object({ id: z.string() }),
      execute({ id }, context) {
        const count: number = context.services.find(id) + context.state.orders;
        // @ts-expect-error -- the state has no such member
        context.state.nonsense.deep();
        // @ts-expect-error -- nor have the services
        context.services.nope();
        return withState(count, { orders: count });
      },
    }),
  }),
});

defineThread({
  name: "misspelt",
  state,
  initialState: { orders: 0 },
  actions: ({ action }) => ({
    count: action({
      description: "Counts.",
      input: z.object({}),
      // @ts-expect-error -- the state has no member `ordres`
      execute: () => withState("counted", { ordres: 5 }),
    }),
  }),
});

defineThread({
  name: "wrong",
  state,
  initialState: { orders: 0 },
  actions: ({ action }) => ({
    count: action({
      description: "Counts.",
      input: z.object({}),
      // @ts-expect-error -- `orders` is a number
      execute: () => withState("counted", { orders: "5" }),
    }),
  }),
});

/** An action of its own fits any thread. */
const anywhere = defineAction({ description: "Adds.", input: z.object({ a: z.number() }), execute: ({ a }) => a + 1 });
defineThread({ name: "any", actions: { anywhere } });
defineThread({ name: "counting", state, initialState: { orders: 0 }, actions: { anywhere } });
defineThread({ name: "phased", state, initialState: { orders: 0 }, actions: () => ({ anywhere }) });

// @ts-expect-error -- a number is no schema
defineThread({ name: "bad", actions: { bad: { description: "Bad.", inputSchema: 7 } } });

/** The output of a turn has the type of the definition's schema. */
const asking = defineThread({ name: "asking", policy: { output: z.object({ answer: z.string() }) } });
export async function outputs(): Promise<void> {
  const turn = await engine.react(asking, { id: "a", text: "a" }, { address: { key: "a" } });
  const { output } = await turn.result;
  const answer: string | undefined = output?.answer;
  // @ts-expect-error -- the schema has no such member
  void output?.anwser;
  const { result } = await engine.thread(asking, { key: "a" }).send("Hi");
  void [answer, (await result).output?.answer];
  // @ts-expect-error -- a turn that has not completed has no output
  void (await result).output.answer;
  const plain: TurnHandle = await engine.react("asking", { id: "a", text: "a" }, { address: { key: "a" } });
  for await (const word of plain.textStream) void word.length;
}

/** Events are told apart by their type. */
export function told(event: ThreadEvent): string {
  switch (event.type) {
    case "part-delta":
      return event.data.delta;
    case "part-started":
      return event.data.kind;
    case "execution-ended":
      return `${event.data.status} ${event.data.reason} ${event.seq}`;
    case "execution-waiting":
      return event.data.approvals.map(({ approvalId, name }) => `${approvalId} ${name}`).join();
    case "call-changed":
      return `${event.data.callId} ${event.data.status}`;
    default:
      // @ts-expect-error -- not every event has a delta
      return event.data.delta.toUpperCase();
  }
}
