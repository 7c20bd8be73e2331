import type { ErrorSignature, JsonValue } from "@hebra/core";
import type { Mode } from "../evaluate/types.ts";

/** What the decision table made of an incident. */
export interface IncidentDecision {
  /** What is done: a rule's action, or `__UNMATCHED__`; never empty. */
  readonly action: string;
  readonly matched: boolean;
  readonly reason: string;
  /** The rule's id. */
  readonly rule?: string;
}

/** What opened an incident. `error` is one that the host recorded itself. */
export type IncidentKind =
  | "error"
  /** A turn failed or ended without its answer, with a signature that is new to its flag, engine and tenant. */
  | "failed-turn"
  | "rollback"
  /** A declared operation, or an action, without any success. */
  | "critical-operation"
  /** Errors that no rule knows become more frequent. */
  | "unknown-growth"
  /** Another guard of a rollout found something wrong. */
  | "guard"
  | "rehearsal";

/** Who closed an incident, and why. */
export interface IncidentClosing {
  /** ISO 8601 instant. */
  readonly at: string;
  readonly by: string;
  readonly reason: string;
  /** Where it was worked out. */
  readonly link?: string;
}

/** One thing that went wrong and that somebody may have to look at. */
export interface Incident {
  readonly id: string;
  readonly kind: IncidentKind;
  /** ISO 8601 instant. */
  readonly at: string;
  readonly org?: string;
  readonly project?: string;
  readonly session?: string;
  readonly executionId?: string;
  readonly contextId?: string;
  readonly flag?: string;
  readonly mode?: Mode;
  readonly flagVersion?: number;
  readonly signature: ErrorSignature;
  readonly decision: IncidentDecision;
  readonly traceId?: string;
  /** Versions of the packages that took part. */
  readonly versions: Readonly<Record<string, string>>;
  /** Without secrets. */
  readonly context: JsonValue;
  /** Where the way out is written down; `null` when nobody wrote it. */
  readonly runbook: string | null;
  /** Of a rollback: the draft of its postmortem, Markdown. */
  readonly postmortem?: string;
  /** Absent while it is open. */
  readonly closed?: IncidentClosing;
}

/** What the caller knows when an error happens. */
export interface IncidentContext {
  /** @defaultValue "error" */
  readonly kind?: IncidentKind;
  /** Of the incident. Whoever gives the same id for the same event opens it once. @defaultValue a new one */
  readonly id?: string;
  readonly postmortem?: string;
  readonly org?: string;
  readonly project?: string;
  readonly session?: string;
  readonly executionId?: string;
  readonly contextId?: string;
  readonly flag?: string;
  readonly mode?: Mode;
  readonly flagVersion?: number;
  readonly traceId?: string;
  /** Anything that helps; goes through the redactor. */
  readonly context?: unknown;
  /** Which part of the system. @defaultValue the recorder's */
  readonly component?: string;
}

/** Which incidents are asked for. */
export interface IncidentQuery {
  readonly kind?: IncidentKind;
  /** `true`: those that nobody closed. */
  readonly open?: boolean;
  readonly flag?: string;
  readonly org?: string;
  readonly fingerprint?: string;
  readonly code?: string;
  readonly matched?: boolean;
  /** ISO 8601 instant, inclusive. */
  readonly since?: string;
  /** @defaultValue 100 */
  readonly limit?: number;
}

/** Where incidents go. A write may be repeated: incidents with an id that is known are left out. */
export interface IncidentSink {
  /** @throws whatever says that the incidents are not kept */
  write(incidents: readonly Incident[]): Promise<void>;
}

/** A sink that can be asked. */
export interface IncidentStore extends IncidentSink {
  /** Newest first. */
  list(query?: IncidentQuery): Promise<Incident[]>;
  read(id: string): Promise<Incident | undefined>;
  /**
   * Closes an incident. One that is closed already stays as it is.
   *
   * @returns the incident as it is kept; `undefined` when there is none
   */
  close(id: string, closing: IncidentClosing): Promise<Incident | undefined>;
}

/** The action of incidents that no rule knows. */
export const UNMATCHED = "__UNMATCHED__";
