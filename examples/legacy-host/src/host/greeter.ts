// A file of the old application: a story, under its older name, registered at boot and found by its key.
import { createStory, getThread, hasThread, listThreads } from "@old-engine/thread";
import { createScriptedReactor } from "@old-engine/thread/reactor";
import type { DeskEnv } from "./desk.ts";

createStory<DeskEnv>("greeter.agent")
  .initialize((stored) => ({ greeted: (stored.content?.greeted ?? 0) + 1 }))
  .system(() => "Greet.")
  .tools(() => ({}))
  .reactor(
    createScriptedReactor({
      steps: [{ assistantEvent: { content: { parts: [{ type: "text", text: "Good morning." }] } } }],
      repeatLast: true,
    }),
  )
  .register();

export const greeter = () => (hasThread("greeter.agent") ? getThread("greeter.agent") : undefined);
export const known = () => listThreads();
