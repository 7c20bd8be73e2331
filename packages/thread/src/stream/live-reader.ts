import type { Cursor } from "./cursor.ts";
import type { DurableEvent, LiveEvent } from "./envelope.ts";

/**
 * Which live events a reader is to see, in their order: each once. Where some are lost, or a run of the turn takes over
 * from another, the reader is told with one `step-reset` that what it has of the open step is void; parts then come
 * whole, or anew from the new run.
 */
export interface LiveReader {
  live(event: LiveEvent): LiveEvent[];
  /** Told of each durable event before the reader sees it. */
  durable(event: DurableEvent): LiveEvent[];
}

/** Where a reader is told to forget what it has of the open step. */
export type Reset = Pick<LiveEvent, "stepId" | "run" | "fence" | "afterSeq" | "index"> & { lost: boolean };

const before = ({ stepId, run, fence, afterSeq }: LiveEvent, index: number, lost: boolean): Reset => ({
  stepId,
  run,
  fence,
  afterSeq,
  index,
  lost,
});

/**
 * @param options - `recorded`: steps of which the reader has whole parts; `make`: a `step-reset` of this reader's own
 */
export function createLiveReader(
  { seq, live: hasLive, at }: Cursor,
  {
    recorded: recordedSteps,
    make,
  }: {
    recorded: ReadonlySet<string>;
    make(like: Reset): LiveEvent;
  },
): LiveReader {
  let stepId: string | undefined;
  let run = at?.run;
  let fence = at?.fence ?? 0;
  let next = at === undefined ? 0 : at.index + 1;
  /** Parts of the step that began and did not end, as far as the reader has seen. */
  const growing = new Set<number>();
  /** The reader came back inside a step: which of its parts are growing is not known. */
  let resumed = at !== undefined && at.index >= 0 && !at.lost;
  let shown = resumed;
  let broken = at?.lost ?? false;
  let recorded = false;

  function begin(id: string): void {
    stepId = id;
    next = 0;
    growing.clear();
    resumed = shown = broken = recorded = false;
  }

  function isKnown(event: LiveEvent): boolean {
    if (event.afterSeq < seq) return hasLive || recordedSteps.has(event.stepId);
    return event.afterSeq === seq && event.run === at?.run && event.index <= at.index;
  }

  /** What the reader had before it left. */
  function recall(event: LiveEvent): void {
    if (stepId !== event.stepId) begin(event.stepId);
    ({ run, fence } = event);
    next = event.index + 1;
    resumed = false;
    broken = at?.lost === true && event.run === at.run;
    shown = event.type !== "step-reset" && !broken;
    track(event);
    if (!shown) growing.clear();
  }

  /** What was shown of the step is void. */
  function reset(place: Reset): LiveEvent[] {
    const told = shown && !recorded ? [make(place)] : [];
    growing.clear();
    resumed = shown = false;
    return told;
  }

  function live(event: LiveEvent): LiveEvent[] {
    if (event.fence < fence) return [];
    if (isKnown(event)) {
      recall(event);
      return [];
    }
    if (stepId === undefined && event.afterSeq === seq) stepId = event.stepId;
    if (stepId !== event.stepId) begin(event.stepId);
    const out: LiveEvent[] = [];
    if (run !== event.run) {
      // The run before this one was cut off inside the step, or there was none.
      out.push(...reset(before(event, -1, false)));
      run = event.run;
      next = 0;
      broken = false;
    }
    fence = event.fence;
    if (event.index < next) return out;
    if (event.index > next && !broken) {
      broken = true;
      out.push(...reset(before(event, event.index - 1, true)));
    }
    next = event.index + 1;
    if (event.type === "step-reset") {
      broken = false;
      if (!shown) return out;
      growing.clear();
      shown = false;
      return [...out, event];
    }
    // Parts of an answer that is recorded are known whole.
    if (event.partIndex >= 0 && (broken || recorded)) return out;
    if (event.partIndex >= 0) shown = true;
    track(event);
    return [...out, event];
  }

  function track({ type, partIndex, data }: LiveEvent): void {
    if (type === "part-started" && (data["kind"] === "text" || data["kind"] === "reasoning")) growing.add(partIndex);
    if (type === "part-ended") growing.delete(partIndex);
  }

  function durable(event: DurableEvent): LiveEvent[] {
    if (event.stepId === undefined) return [];
    // Whoever comes back inside a step has not seen its beginning.
    if (stepId === undefined && event.type !== "step-started") stepId = event.stepId;
    if (event.stepId !== stepId) begin(event.stepId);
    if (event.type !== "part-created" || recorded) return [];
    const partial = resumed || growing.size > 0;
    const place = { stepId: event.stepId, run: run ?? "", fence, afterSeq: event.seq - 1, index: next - 1, lost: true };
    const out = partial ? reset(place) : [];
    recorded = true;
    return out;
  }

  return { live, durable };
}
