import { HebraError } from "@hebra/core";
import type { ReactorEvent } from "../events.ts";
import { createTextMender, type TextMender } from "../well-formed.ts";
import { fromMetadata } from "./metadata.ts";
import type { StreamPartOf } from "./specification.ts";

type Kind = "text" | "reasoning";

interface Growing {
  readonly kind: Kind;
  readonly mender: TextMender;
  /** Given when the part has something in it: models open parts that stay empty. */
  partId?: string;
  metadata?: unknown;
}

/**
 * The parts of one answer that come in pieces. Ids are the provider's: text may have the id that reasoning has, or one
 * that was used before.
 */
export interface GrowingParts {
  begin(kind: Kind, part: StreamPartOf<"text-start" | "reasoning-start">): ReactorEvent[];
  /** @throws HebraError `REACTOR_FAILED` for a part that was not begun */
  grow(kind: Kind, part: StreamPartOf<"text-delta" | "reasoning-delta">): ReactorEvent[];
  /** @throws HebraError `REACTOR_FAILED` for a part that was not begun */
  end(kind: Kind, part: StreamPartOf<"text-end" | "reasoning-end">): ReactorEvent[];
  /** Ends those that the provider left open. */
  endAll(): ReactorEvent[];
}

/** @param nextPartId - ids of the events' parts */
export function createGrowingParts(nextPartId: () => string): GrowingParts {
  const open = new Map<string, Growing>();

  function find(kind: Kind, id: string): Growing {
    const part = open.get(`${kind} ${id}`);
    if (part === undefined)
      throw new HebraError(
        "REACTOR_FAILED",
        `The model's stream goes on with a part of ${kind} that it did not begin.`,
        { details: { error: "unknown-part" } },
      );
    return part;
  }

  function openingOf(part: Growing): ReactorEvent[] {
    if (part.partId !== undefined) return [];
    part.partId = nextPartId();
    return [{ type: "part-start", partId: part.partId, kind: part.kind }];
  }

  function deltaOf(part: Growing, delta: string): ReactorEvent[] {
    if (delta === "") return [];
    return [...openingOf(part), { type: "part-delta", partId: part.partId!, delta }];
  }

  function close(part: Growing, metadata: unknown): ReactorEvent[] {
    const { providerMetadata } = fromMetadata(metadata ?? part.metadata);
    const events = deltaOf(part, part.mender.end());
    // An empty part is kept for its metadata alone: providers keep hidden reasoning there.
    if (part.partId === undefined && providerMetadata === undefined) return events;
    events.push(...openingOf(part));
    return [
      ...events,
      { type: "part-end", partId: part.partId!, ...(providerMetadata === undefined ? {} : { providerMetadata }) },
    ];
  }

  return {
    begin(kind, { id, providerMetadata }) {
      const key = `${kind} ${id}`;
      const before = open.get(key);
      open.delete(key);
      open.set(key, { kind, mender: createTextMender(), metadata: providerMetadata });
      return before === undefined ? [] : close(before, undefined);
    },
    grow(kind, { id, delta, providerMetadata }) {
      if (delta === "" && providerMetadata === undefined) return [];
      const part = find(kind, id);
      if (providerMetadata !== undefined) part.metadata = providerMetadata;
      return deltaOf(part, part.mender.push(delta));
    },
    end(kind, { id, providerMetadata }) {
      const part = find(kind, id);
      open.delete(`${kind} ${id}`);
      return close(part, providerMetadata);
    },
    endAll: () => Array.from(open.values(), (part) => close(part, undefined)).flat(),
  };
}
