import { HebraError } from "@hebra/core";
import { defineThread } from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";

/** The engine that is to take over. Its model is scripted; `fault.on` makes every turn of it fail. */
export function createNewEngine() {
  const fault = { on: false };
  const definition = defineThread({
    name: "desk",
    reactor: scriptedReactor({
      steps: [
        ({ transcript }) => {
          if (fault.on) return { error: new HebraError("UNREACHABLE", "The model is down.", { retryable: false }) };
          const part = transcript.findLast(({ role }) => role === "user")?.parts.at(-1);
          const text = part?.kind === "text" ? part.text : "";
          return { text: `new: ${text}`, usage: { inputTokens: 50, outputTokens: 10, costUsd: 0.002 } };
        },
      ],
      repeatLast: true,
    }),
  });
  return { definition, fault };
}
