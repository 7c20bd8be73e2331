import type { JsonValue } from "@hebra/core";
import type { Reactor } from "../reactor.ts";
import { scriptedReactor } from "../scripted.ts";
import type { ScriptedStep } from "../scripted-step.ts";
import { faultyReactor } from "../testing/faulty.ts";
import type { FakeModel, ModelAnswer } from "./scenario.ts";

/** The scripted reactor behind the fake model of the contract, for the contract's own tests. */
export function scriptedHarness(model: FakeModel): Reactor {
  return {
    contract: "reactor-v1",
    name: "scripted",
    react(input) {
      const answer = model(JSON.stringify(input));
      const reactor = scriptedReactor({ steps: [toStep(answer)], repeatLast: true });
      return (answer.then === "hang" ? faultyReactor(reactor, { kind: "hang", at: 2 }) : reactor).react(input);
    },
  };
}

function toStep({ reasoning, text, actions, session, then, usage }: ModelAnswer): ScriptedStep {
  return {
    ...(reasoning === undefined ? {} : { reasoning }),
    ...(text === undefined ? {} : { text }),
    ...(actions === undefined ? {} : { actions: actions.map(({ name, input }) => ({ name, input: parsed(input) })) }),
    ...(session === undefined ? {} : { session }),
    ...(usage === undefined ? {} : { usage }),
    ...(then === "fail" ? { error: "The line broke." } : {}),
    ...(then === "length" ? { finish: "length" } : {}),
  };
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
