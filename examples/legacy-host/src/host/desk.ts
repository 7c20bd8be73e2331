// A file of the old application, as it was: not one line knows of the new engine.
import { createThread, didToolExecute, WEB_CHANNEL, type StoredContext, type ThreadItem } from "@old-engine/thread";
import { getThreadEnv } from "@old-engine/thread/runtime";
import { tool } from "ai";
import { z } from "zod";
import { deskModel } from "./model.ts";
import { shipments } from "./shipments.ts";

export type DeskEnv = { orgId: string; operator: string };
type DeskContext = { orgId: string; questions: number; lastOrder?: string };

export const log: string[] = [];

export const desk = createThread<DeskEnv>("desk.agent")
  .context((stored: StoredContext<DeskContext>, env): DeskContext => {
    const before = stored.content ?? { questions: 0 };
    return { ...before, orgId: env.orgId, questions: before.questions + 1 };
  })
  .narrative(
    (context, env) => `You are ${env.operator} of ${context.content?.orgId}. Always end with the tool "complete".`,
  )
  .actions((context) => ({
    find_order: tool({
      description: "Finds an order by its number.",
      inputSchema: z.object({ number: z.string() }),
      execute: async ({ number }) => {
        const { operator } = (await getThreadEnv()) as DeskEnv;
        log.push(`${operator} looks for ${number}`);
        return shipments.get(number) ?? { number, status: "unknown" };
      },
    }),
    // Only to be had once something was looked at.
    ...((context.content?.questions ?? 0) > 1
      ? {
          complete: tool({
            description: "Ends the turn with an answer.",
            inputSchema: z.object({ answer: z.string() }),
            execute: async ({ answer }) => ({ answer }),
          }),
        }
      : {}),
  }))
  .model(deskModel)
  .shouldContinue(({ reactionEvent }) => !didToolExecute(reactionEvent, "complete"))
  .opts({
    onContextCreated: ({ context }) => void log.push(`new context ${context.key}`),
    onToolCallExecuted: ({ toolCall, success }: { toolCall: { toolName: string }; success: boolean }) =>
      void log.push(`${toolCall.toolName}: ${success ? "ok" : "failed"}`),
  })
  .build();

export function question(id: string, text: string): ThreadItem {
  return {
    id,
    type: "input_text",
    channel: WEB_CHANNEL,
    createdAt: new Date().toISOString(),
    content: { parts: [{ type: "text", text }] },
  };
}
