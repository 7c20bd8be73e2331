import type { Clock, Telemetry, TelemetryAttributes, TelemetrySpan } from "@hebra/core";
import type { ContentWriter } from "./content.ts";
import type { EngineMeter } from "./engine-meter.ts";

/** What the parts of a turn's telemetry share. */
export interface TurnScope {
  telemetry: Telemetry;
  meter: EngineMeter;
  content: ContentWriter | undefined;
  clock: Clock;
  /** The turn's own span. */
  parent: TelemetrySpan;
  /** What every span of the turn says. */
  place: TelemetryAttributes;
  definition: string;
  /** Spans that have not ended: they end with the turn. */
  parts: TurnParts;
}

/** Spans inside a turn that have not ended. Each ends once: by itself, or with the turn. */
export interface TurnParts {
  add(part: object, cutOff: () => void): void;
  /** @returns whether it had not ended yet. */
  end(part: object): boolean;
  /** Ends what is left. */
  cutOff(): void;
}

export function createTurnParts(): TurnParts {
  const open = new Map<object, () => void>();
  return {
    add: (part, cutOff) => void open.set(part, cutOff),
    end: (part) => open.delete(part),
    cutOff() {
      for (const end of [...open.values()]) end();
    },
  };
}
