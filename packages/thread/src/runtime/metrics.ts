import { createTelemetry, errorCode, hebraAttributes, type Telemetry } from "@hebra/core";
import type { BusStats } from "@hebra/bus";

/** What a runtime counts. Labels are few and fixed: never a session. */
export interface RuntimeMetrics {
  /** A delivery has been dealt with. @param waitedMs - from its publication to its first handling. */
  turn(outcome: string, definition: string, ms: number, waitedMs: number): void;
  /** A delivery was given back. */
  givenBack(error: unknown): void;
  leaseLost(): void;
  /** A reply went out, or did not. */
  sent(channel: string, outcome: "sent" | "failed", ms: number): void;
  published(channel: string, status: string): void;
  scheduled(outcome: string): void;
  leading(name: string, leads: boolean): void;
  queues(stats: BusStats): void;
}

const seconds = { unit: "s", boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300] };

export function createRuntimeMetrics(telemetry: Telemetry = createTelemetry({ name: "@hebra/thread/runtime" })): RuntimeMetrics {
  const turns = telemetry.histogram("hebra.turn.duration", { ...seconds, description: "From the delivery of a message to the end of its turn." });
  const waits = telemetry.histogram("hebra.turn.wait", { ...seconds, description: "From the publication of a message to its delivery." });
  const givenBack = telemetry.counter("hebra.delivery.given_back", { description: "Deliveries that went back to their mailbox." });
  const lost = telemetry.counter("hebra.lease.lost", { description: "Leases that ended while work went on." });
  const sends = telemetry.histogram("hebra.channel.send.duration", { ...seconds, description: "How long a channel took to send a reply." });
  const published = telemetry.counter("hebra.channel.published", { description: "Messages that channels handed over." });
  const runs = telemetry.counter("hebra.scheduler.runs", { description: "Scheduled runs." });
  const leaders = telemetry.gauge("hebra.scheduler.leader", { description: "1 in the process that leads." });
  const depth = telemetry.gauge("hebra.queue.depth", { description: "Messages in mailboxes." });
  const age = telemetry.gauge("hebra.queue.oldest_age", { unit: "s", description: "Age of the oldest message." });
  const inFlight = telemetry.gauge("hebra.queue.in_flight", { description: "Conversations on lease." });
  const dead = telemetry.gauge("hebra.dead_letters", { description: "Dead letters kept." });
  return {
    turn(outcome, definition, ms, waitedMs) {
      const labels = { [hebraAttributes.outcome]: outcome, [hebraAttributes.definition]: definition };
      turns.record(ms / 1000, labels);
      waits.record(Math.max(0, waitedMs) / 1000, labels);
    },
    givenBack: (error) => givenBack.add(1, { "error.type": errorCode(error) ?? "other" }),
    leaseLost: () => lost.add(1),
    sent: (channel, outcome, ms) => sends.record(ms / 1000, { channel, outcome }),
    published: (channel, status) => published.add(1, { channel, status }),
    scheduled: (outcome) => runs.add(1, { outcome }),
    leading: (name, leads) => leaders.record(leads ? 1 : 0, { name }),
    queues(stats) {
      for (const direction of ["inbound", "outbound"] as const) {
        depth.record(stats[direction].depth, { direction });
        age.record(stats[direction].oldestAgeMs / 1000, { direction });
        inFlight.record(stats[direction].inFlight, { direction });
      }
      dead.record(stats.dead);
    },
  };
}
