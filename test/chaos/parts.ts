/** Parts that are played on a stage: three workers, fifty users, a Redis of their own. */
export const stageParts = [
  "calm",
  "worker-killed",
  "worker-paused",
  "redis-restarted",
  "redis-away",
  "connections-killed",
  "scripts-flushed",
  "published-twice",
  "slow-session",
  "releases-rolled",
  "memory-full",
  "flooding-chat",
  "gateway-skewed",
] as const;

/** Parts of a stage where bus, locks and threads are behind one address of Redis. */
export const proxiedParts = ["connections-silent", "poison", "switch-over"] as const;

/** What a part of the stage is called. */
export type PhaseName = (typeof stageParts)[number] | (typeof proxiedParts)[number];

/** Everything that can be named after `--only`, in its order. */
export const parts: readonly string[] = [
  "model",
  ...stageParts,
  "deep-tenant",
  "dialogues",
  "scaling",
  ...proxiedParts,
  "deep-backlog",
  "replica-gone",
];

const noFaults = new Set(["model", "calm", "dialogues", "scaling"]);

/** Parts in which something goes wrong. The runbook of docs/guide/operations.md has a section for each. */
export const faultParts = parts.filter((part) => !noFaults.has(part));
