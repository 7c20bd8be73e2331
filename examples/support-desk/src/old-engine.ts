import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deriveId, type JsonObject } from "@hebra/core";
import type { StoryGroup } from "@hebra/migrate";
import type { LegacyRows } from "@hebra/thread/legacy";
import { actionName } from "./desk-thread.ts";
import type { Exchange } from "./dialogues.ts";

type Table = Map<string, JsonObject>;

/** A line as the old engine remembers it. */
export interface RememberedLine {
  eventId: string;
  from: "customer" | "desk";
  text: string;
}

/**
 * The engine that the desk ran on so far: five tables of the story model, one process, no leases. It stands for
 * whatever a
 * team has in production; Hebra reads its rows and, after a cut, hands back what it wrote.
 */
export function createOldEngine(now: () => number) {
  const tables = {
    context_contexts: new Map() as Table,
    context_events: new Map() as Table,
    story_executions: new Map() as Table,
    story_steps: new Map() as Table,
    story_parts: new Map() as Table,
  };
  const contextIdOf = (session: string) => deriveId("old-desk", session);
  const put = (table: Table, row: JsonObject & { id: string }) => void table.set(row.id, row);
  const iso = () => new Date(now()).toISOString();

  function group(session: string): StoryGroup {
    const id = contextIdOf(session);
    const of = (table: Table, member: string, parents: ReadonlySet<unknown>) =>
      [...table.values()].filter((row) => parents.has(row[member]));
    const events = of(tables.context_events, "context", new Set([id]));
    const executions = of(tables.story_executions, "context", new Set([id]));
    const steps = of(tables.story_steps, "execution", new Set(executions.map((row) => row["id"])));
    const parts = of(tables.story_parts, "step", new Set(steps.map((row) => row["id"])));
    return { context: tables.context_contexts.get(id)!, events, executions, steps, parts };
  }

  return {
    contextIdOf,
    /** Everything of one conversation. */
    group,
    /**
     * Answers a line, and writes it down as the story model does: an event, an execution, its steps, their parts, an
     * event.
     */
    answer(session: string, turnId: string, { user, system }: Exchange): string {
      const context = contextIdOf(session);
      if (!tables.context_contexts.has(context))
        put(tables.context_contexts, {
          id: context,
          key: session,
          status: "open",
          content: { title: `Conversation with ${session}` },
          createdAt: iso(),
          updatedAt: iso(),
        });
      const id = (what: string) => deriveId("old-desk", session, turnId, what);
      const parts: JsonObject[] = [];
      const { call } = system;
      if (call !== undefined)
        parts.push({
          type: `tool-${actionName(call)}`,
          toolCallId: id("call"),
          state: "output-available",
          input: call.parameters,
          output: system.results ?? [],
        });
      parts.push({ type: "text", text: system.utterance });
      put(tables.context_events, {
        id: id("trigger"),
        context,
        type: "input_text",
        channel: "web",
        status: "stored",
        content: { parts: [{ type: "text", text: user.utterance }] },
        createdAt: iso(),
        updatedAt: iso(),
      });
      put(tables.story_executions, {
        id: id("execution"),
        context,
        trigger: id("trigger"),
        reaction: id("reaction"),
        status: "completed",
        workflowRunId: id("run"),
        createdAt: iso(),
        updatedAt: iso(),
      });
      parts.forEach((part, iteration) => {
        const step = id(`step ${iteration}`);
        put(tables.story_steps, {
          id: step,
          execution: id("execution"),
          iteration,
          status: "completed",
          createdAt: iso(),
          updatedAt: iso(),
        });
        put(tables.story_parts, {
          id: id(`part ${iteration}`),
          key: `${step}:0`,
          step,
          idx: 0,
          type: String(part["type"]),
          part,
          createdAt: iso(),
          updatedAt: iso(),
        });
      });
      put(tables.context_events, {
        id: id("reaction"),
        context,
        execution: id("execution"),
        type: "output_text",
        channel: "web",
        status: "completed",
        content: { parts },
        createdAt: iso(),
        updatedAt: iso(),
      });
      return system.utterance;
    },
    /** Takes rows that were written elsewhere, by id: once, however often they come. */
    accept(rows: LegacyRows): number {
      let added = 0;
      for (const [entity, list] of Object.entries(rows) as [keyof LegacyRows, JsonObject[]][]) {
        for (const row of list) {
          if (!tables[entity].has(String(row["id"]))) added++;
          put(tables[entity], row as JsonObject & { id: string });
        }
      }
      return added;
    },
    /** What it would answer from: every line, in order. */
    history(session: string): RememberedLine[] {
      return group(session)
        .events.toSorted((a, b) => String(a["createdAt"]).localeCompare(String(b["createdAt"])))
        .map((event) => ({
          eventId: String(event["id"]),
          from: event["type"] === "input_text" ? "customer" : "desk",
          text: ((event["content"] as JsonObject)["parts"] as JsonObject[])
            .flatMap((part) => (part["type"] === "text" ? [String(part["text"])] : []))
            .join(""),
        }));
    },
    /** Writes its tables as JSON lines: what a nightly export would leave. */
    exportTo(folder: string): void {
      mkdirSync(folder, { recursive: true });
      for (const [entity, table] of Object.entries(tables))
        writeFileSync(
          join(folder, `${entity}.jsonl`),
          [...table.values()].map((row) => `${JSON.stringify(row)}\n`).join(""),
        );
    },
    sessions: () => [...tables.context_contexts.values()].map((row) => String(row["key"])),
  };
}
