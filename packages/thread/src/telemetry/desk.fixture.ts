import { scriptedReactor } from "@hebra/reactor";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import * as z from "zod";
import { defineAction } from "../definition/define-action.ts";
import { defineThread, type AnyThreadDefinition } from "../definition/define-thread.ts";

/** A span as a process writes it down. */
export interface WrittenSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  attributes: Record<string, unknown>;
}

export function writtenSpan(span: ReadableSpan): WrittenSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    name: span.name,
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    attributes: span.attributes,
  };
}

/** What a process of its own is to do. */
export interface Job {
  /** The database file. */
  store: string;
  /** Where it writes its spans. */
  spans: string;
  /** What happens in the middle of its turn: it is killed, or goes on. */
  send: "die" | "go on";
  /** Works for a gateway elsewhere; without it, takes one trigger itself. */
  redis?: { url: string; namespace: string };
}

/** One answer, two actions, the second of which may be the last thing that a process does; another answer. */
export function deskThread(send: () => unknown): AnyThreadDefinition {
  const input = z.object({ order: z.string() });
  return defineThread({
    name: "desk",
    actions: {
      look: defineAction({ description: "Looks.", input, effect: "read", execute: () => "shipped" }),
      send: defineAction({ description: "Sends.", input, effect: "idempotent", execute: send }),
    },
    reactor: scriptedReactor({
      steps: [
        { actions: [{ name: "look", input: { order: "A-1" } }] },
        { actions: [{ name: "send", input: { order: "A-1" } }] },
        { text: "It is on its way." },
      ],
    }),
  });
}
