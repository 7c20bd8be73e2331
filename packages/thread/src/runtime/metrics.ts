import { errorCode, hebraAttributes, type Telemetry } from "@hebra/core";
import type { BusStats } from "@hebra/bus";
import { counterOf, gaugeOf, histogramOf } from "../telemetry/instruments.ts";
import { threadMetrics } from "../telemetry/thread-metrics.ts";
import type { SendOutcome } from "./send-outcome.ts";

/** What a runtime counts. Labels are few and fixed: never a session. */
export interface RuntimeMetrics {
  /** A delivery has been dealt with. @param waitedMs - from its publication to its first handling. */
  turn(outcome: string, definition: string, ms: number, waitedMs: number): void;
  /** A delivery was given back. */
  givenBack(error: unknown): void;
  /** A delivery has left this process. @param attempt - of its messages, from 1. */
  delivered(direction: "inbound" | "outbound", outcome: "settled" | "given-back" | "lost", attempt: number): void;
  leaseLost(): void;
  /** A reply went out, or did not. */
  sent(channel: string, outcome: SendOutcome, ms: number): void;
  /** The other side has a reply. @param ms - since its publication. */
  arrived(channel: string, ms: number): void;
  published(channel: string, status: string): void;
  /** A message could not be taken in, for a reason that may pass. */
  notTaken(channel: string, error: unknown): void;
  /** The other side told what became of a reply. */
  replied(channel: string, status: string): void;
  scheduled(outcome: string): void;
  leading(name: string, leads: boolean): void;
  queues(stats: BusStats): void;
  /** What the deployment promises, in milliseconds. */
  targets(targets: { dispatchP95Ms?: number | undefined; turnP95Ms?: number | undefined }): void;
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const attempts = [1, 2, 3, 4, 5, 10];

/** Instruments as {@link threadMetrics} describes them. */
export function createRuntimeMetrics(telemetry: Telemetry): RuntimeMetrics {
  const turns = histogramOf(telemetry, threadMetrics.turnDuration, seconds);
  const waits = histogramOf(telemetry, threadMetrics.turnWait, seconds);
  const givenBack = counterOf(telemetry, threadMetrics.deliveryGivenBack);
  const deliveries = histogramOf(telemetry, threadMetrics.deliveryAttempts, attempts);
  const lost = counterOf(telemetry, threadMetrics.leaseLost);
  const sends = histogramOf(telemetry, threadMetrics.channelSendDuration, seconds);
  const arrivals = histogramOf(telemetry, threadMetrics.outboundDuration, seconds);
  const published = counterOf(telemetry, threadMetrics.channelPublished);
  const replies = counterOf(telemetry, threadMetrics.channelReplies);
  const runs = counterOf(telemetry, threadMetrics.schedulerRuns);
  const leaders = gaugeOf(telemetry, threadMetrics.schedulerLeader);
  const depth = gaugeOf(telemetry, threadMetrics.queueDepth);
  const age = gaugeOf(telemetry, threadMetrics.queueOldestAge);
  const waitingAge = gaugeOf(telemetry, threadMetrics.queueOldestWaitingAge);
  const inFlight = gaugeOf(telemetry, threadMetrics.queueInFlight);
  const target = gaugeOf(telemetry, threadMetrics.target);
  const dead = gaugeOf(telemetry, threadMetrics.deadLetters);
  return {
    turn(outcome, definition, ms, waitedMs) {
      const labels = { [hebraAttributes.outcome]: outcome, [hebraAttributes.definition]: definition };
      turns.record(ms / 1000, labels);
      waits.record(Math.max(0, waitedMs) / 1000, labels);
    },
    givenBack: (error) => givenBack.add(1, { "error.type": errorCode(error) ?? "other" }),
    delivered: (direction, outcome, attempt) => deliveries.record(attempt, { direction, outcome }),
    leaseLost: () => lost.add(1, { holder: "delivery" }),
    sent: (channel, outcome, ms) => sends.record(ms / 1000, { channel, outcome }),
    arrived: (channel, ms) => arrivals.record(Math.max(0, ms) / 1000, { channel }),
    published: (channel, status) => published.add(1, { channel, status }),
    notTaken: (channel, error) =>
      published.add(1, { channel, status: "failed", "error.type": errorCode(error) ?? "other" }),
    replied: (channel, status) => replies.add(1, { channel, status }),
    scheduled: (outcome) => runs.add(1, { outcome }),
    leading: (name, leads) => leaders.record(leads ? 1 : 0, { name }),
    queues(stats) {
      for (const direction of ["inbound", "outbound"] as const) {
        depth.record(stats[direction].depth, { direction });
        age.record(stats[direction].oldestAgeMs / 1000, { direction });
        waitingAge.record(stats[direction].oldestWaitingAgeMs / 1000, { direction });
        inFlight.record(stats[direction].inFlight, { direction });
      }
      dead.record(stats.dead);
    },
    targets({ dispatchP95Ms, turnP95Ms }) {
      if (dispatchP95Ms !== undefined) target.record(dispatchP95Ms / 1_000, { name: "dispatch" });
      if (turnP95Ms !== undefined) target.record(turnP95Ms / 1_000, { name: "turn" });
    },
  };
}
