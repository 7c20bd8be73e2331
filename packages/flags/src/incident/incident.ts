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

/** One error that somebody may have to look at. */
export interface Incident {
  readonly id: string;
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
}

/** What the caller knows when an error happens. */
export interface IncidentContext {
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
}

/** The action of incidents that no rule knows. */
export const UNMATCHED = "__UNMATCHED__";
