import { bareLoop } from "./ai-sdk.ts";
import { dbos } from "./dbos.ts";
import { hebra } from "./hebra.ts";
import { langGraph } from "./langgraph.ts";
import type { Kind } from "./subject.ts";

/**
 * What is compared. Ours is taken with the reactor of the AI SDK, whose models cost what they cost in the bare loop,
 * and with a script, which costs next to nothing.
 */
export const kinds = {
  "AI SDK loop": bareLoop,
  "hebra, memory": hebra("nowhere", "AI SDK"),
  "hebra, SQLite": hebra("sqlite", "AI SDK"),
  "hebra, Postgres": hebra("postgres", "AI SDK"),
  "hebra, Redis": hebra("redis", "AI SDK"),
  "hebra, memory, script": hebra("nowhere", "script"),
  "hebra, SQLite, script": hebra("sqlite", "script"),
  "hebra, Postgres, script": hebra("postgres", "script"),
  "hebra, Redis, script": hebra("redis", "script"),
  "hebra, SQLite, full history": hebra("sqlite", "AI SDK", 1_000_000),
  LangGraph: langGraph("nowhere"),
  "LangGraph, SQLite": langGraph("sqlite"),
  "LangGraph, SQLite, async": langGraph("sqlite", "async"),
  "LangGraph, Postgres": langGraph("postgres"),
  "LangGraph, Postgres, async": langGraph("postgres", "async"),
  "DBOS, Postgres": dbos,
} satisfies Record<string, Kind>;

export type Name = keyof typeof kinds;
