import type { Scenario } from "./scenario.ts";

/** Both engines alike: what is stopped is a false alarm. */
const alike = { rollbacks: 0.01, pauses: 0.02 } as const;
/** Harm is looked for where there is enough traffic to see how many sessions it takes. */
const busy = { sessionsPerHour: 500 } as const;

const scenarios: readonly Scenario[] = [
  {
    name: "base",
    title: "Both engines alike: 60 sessions an hour of 20 unequal tenants.",
    expect: { ...alike, rollbacksUpper: 0.015 },
  },
  {
    name: "quiet",
    title: "Both engines alike: 20 sessions an hour.",
    traffic: { sessionsPerHour: 20 },
    expect: alike,
  },
  { name: "busy", title: "Both engines alike: 500 sessions an hour.", traffic: busy, expect: alike },
  {
    name: "one-tenant",
    title: "Both engines alike: one tenant has 90 % of the traffic.",
    traffic: { largest: 0.9 },
    expect: alike,
  },
  {
    name: "bot",
    title: "Both engines alike: one session of the new arm fails 500 times.",
    traffic: { bots: [{ afterMinutes: 120, turns: 500, arm: "new" }] },
    expect: alike,
  },
  {
    name: "clocks",
    title: "Both engines alike: the clocks of two processes are ten minutes off, one each way.",
    clocksMinutes: [-10, 10],
    expect: alike,
  },
  {
    name: "warm-up",
    title: "Both engines alike, but the new one's caches are cold when a step begins: three times slower at first.",
    new: { warmUp: { times: 3, minutes: 2 } },
    expect: alike,
  },
  {
    name: "drift",
    title: "Both engines alike: durations and failures of both double within a day.",
    traffic: { drift: 2 },
    expect: alike,
  },
  {
    name: "errors-10x",
    title: "Ten times as many sessions fail on the new engine.",
    traffic: busy,
    new: { failingTimes: 10 },
    expect: { found: 1, foundWithin: 150 },
  },
  {
    name: "errors-5x",
    title: "Five times as many sessions fail on the new engine.",
    traffic: busy,
    new: { failingTimes: 5 },
    expect: { found: 0.9, foundWithin: 500 },
  },
  {
    name: "errors-2x",
    title: "Twice as many sessions fail on the new engine.",
    traffic: { sessionsPerHour: 2_000 },
    new: { failingTimes: 2 },
  },
  {
    name: "errors-late",
    title: "Ten times as many sessions fail on the new engine from 30 minutes after the step began.",
    traffic: busy,
    new: { failingTimes: 10, afterMinutes: 30 },
    expect: { found: 1 },
  },
  {
    name: "unknown-3x",
    title: "Three times as many sessions meet UNKNOWN incidents on the new engine.",
    traffic: { sessionsPerHour: 2_000 },
    new: { unknownTimes: 3 },
  },
  {
    name: "unknown-10x",
    title: "Ten times as many sessions meet UNKNOWN incidents on the new engine.",
    traffic: busy,
    new: { unknownTimes: 10 },
  },
  {
    name: "latency-2x",
    title: "Every turn takes twice as long on the new engine.",
    traffic: busy,
    new: { latencyTimes: 2 },
    expect: { found: 1, foundWithin: 250 },
  },
  {
    name: "cost-2x",
    title: "Every turn costs twice as much on the new engine.",
    traffic: busy,
    new: { costTimes: 2 },
    expect: { found: 1, foundWithin: 100 },
  },
];

/** The scenarios that come with the package, by name. */
export const shippedScenarios: Readonly<Record<string, Scenario>> = Object.fromEntries(
  scenarios.map((scenario) => [scenario.name, scenario]),
);
