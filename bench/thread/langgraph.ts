import { AIMessage, HumanMessage, isHumanMessage, type BaseMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { END, MessagesAnnotation, START, StateGraph, type BaseCheckpointSaver } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { SqliteSaver } from "@langchain/langgraph-checkpoint-sqlite";
import Database from "libsql";
import * as z from "zod";
import type { Kind, OpenOptions, Subject } from "./subject.ts";
import { ACTION, nextMove, pairsOf, RESULT, triggerText, windowOf } from "./workload.ts";

interface Saver {
  saver: BaseCheckpointSaver | undefined;
  close(): Promise<void>;
}

const savers = {
  nowhere: async (): Promise<Saver> => ({ saver: undefined, close: async () => {} }),
  async sqlite({ at }: OpenOptions): Promise<Saver> {
    // libsql has the shape of better-sqlite3, and is the library that our own store uses: nothing to compile, one
    // SQLite for both.
    const database = new Database(at);
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = FULL");
    return { saver: new SqliteSaver(database as never), close: async () => void database.close() };
  },
  async postgres({ at }: OpenOptions): Promise<Saver> {
    const saver = PostgresSaver.fromConnString(at);
    await saver.setup();
    return { saver, close: () => saver.end() };
  },
};

const look = tool(async () => JSON.stringify(RESULT), {
  name: ACTION,
  description: "Looks something up.",
  schema: z.object({ n: z.number() }),
});

let ids = 0;

function model({ messages }: { messages: BaseMessage[] }): { messages: BaseMessage[] } {
  const shown = windowOf(messages, isHumanMessage);
  const trigger = shown.findLastIndex((message) => isHumanMessage(message));
  const results = shown.slice(trigger).filter((message) => message.getType() === "tool").length;
  const move = nextMove(pairsOf(shown[trigger]!.content as string), results);
  const answer =
    "text" in move
      ? new AIMessage(move.text)
      : new AIMessage({ content: "", tool_calls: [{ id: `call-${ids++}`, name: ACTION, args: { n: move.call } }] });
  return { messages: [answer] };
}

async function open({ saver, close }: Saver, durability: "sync" | "async"): Promise<Subject> {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("model", model)
    .addNode("tools", new ToolNode([look]))
    .addEdge(START, "model")
    .addConditionalEdges("model", ({ messages }) => ((messages.at(-1) as AIMessage).tool_calls?.length ? "tools" : END))
    .addEdge("tools", "model")
    .compile(saver === undefined ? {} : { checkpointer: saver });
  // Without a saver the messages are the caller's to keep.
  const kept = new Map<string, BaseMessage[]>();
  return {
    async turn(thread, _trigger, pairs) {
      const before = kept.get(thread) ?? [];
      const message = new HumanMessage(triggerText(pairs));
      const config = {
        configurable: { thread_id: thread },
        recursionLimit: pairs * 2 + 5,
        ...(saver && { durability }),
      };
      const { messages } = await graph.invoke(
        { messages: saver === undefined ? [...windowOf(before, isHumanMessage), message] : [message] },
        config,
      );
      const trigger = messages.findLastIndex((one) => isHumanMessage(one));
      if (messages.length - trigger !== pairs * 2 + 2) throw new Error("A turn of LangGraph was cut short.");
      if (saver === undefined) kept.set(thread, [...before, ...messages.slice(trigger)]);
    },
    async turns(thread) {
      const messages =
        saver === undefined
          ? kept.get(thread)!
          : ((await graph.getState({ configurable: { thread_id: thread } })).values as { messages: BaseMessage[] })
              .messages;
      return messages.filter((message) => isHumanMessage(message)).length;
    },
    close,
  };
}

/** LangGraph.js with one of its own savers. @param durability - `sync` waits for each write before the next step */
export function langGraph(home: keyof typeof savers, durability: "sync" | "async" = "sync"): Kind {
  return { home, open: async (options) => open(await savers[home](options), durability) };
}
