import { stepCountIs, streamText, type ModelMessage } from "ai";
import type { Kind } from "./subject.ts";
import { ACTION, lookTool, mockModel, triggerText, windowOf } from "./workload.ts";

/** The loop of the AI SDK by itself, over an array of messages: what everything else is held against. */
export const bareLoop: Kind = {
  home: "nowhere",
  async open() {
    const threads = new Map<string, ModelMessage[]>();
    const model = mockModel();
    return {
      async turn(thread, _trigger, pairs) {
        const messages = threads.get(thread) ?? [];
        threads.set(thread, messages);
        messages.push({ role: "user", content: triggerText(pairs) });
        const result = streamText({
          model,
          messages: [...windowOf(messages, ({ role }) => role === "user")],
          tools: { [ACTION]: lookTool },
          stopWhen: stepCountIs(pairs + 1),
        });
        const reader = result.toUIMessageStream().getReader();
        while (!(await reader.read()).done);
        if ((await result.steps).length !== pairs + 1) throw new Error("A turn of the bare loop was cut short.");
        messages.push(...(await result.response).messages);
      },
      turns: async (thread) => threads.get(thread)!.filter(({ role }) => role === "user").length,
      close: async () => threads.clear(),
    };
  },
};
