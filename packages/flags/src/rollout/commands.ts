import type { RolloutEvent } from "./machine.ts";
import type { ApprovalRole, RolloutPlan } from "./plan.ts";

/** Who asks, and why. */
export interface Actor {
  readonly by: string;
  /** Mandatory: it goes into the evidence. */
  readonly reason: string;
  /** Refuses with `ROLLOUT_CONFLICT` when the rollout is at another revision. */
  readonly expectedRevision?: number;
  /** A command with a key that was seen lately is not done a second time. */
  readonly idempotencyKey?: string;
}

/** What can be asked of a rollout: its edges, and records that unlock them. */
export type RolloutCommand = Actor &
  (
    | {
        readonly event: RolloutEvent;
        /** For `start`, and for a `reset` with another plan. */
        readonly plan?: RolloutPlan;
        /** Where a `reset` leads. @defaultValue "internal" */
        readonly to?: "internal" | "shadow";
        /** For `set-hold-back`. */
        readonly holdBack?: number;
      }
    | {
        /** Changes the plan of a rollout that runs, under the same signatures as its largest step. */
        readonly event: "amend";
        readonly plan: RolloutPlan;
      }
    | {
        readonly event: "approve";
        readonly role: ApprovalRole;
        /** Signs an amendment to this plan, not the next edge. */
        readonly plan?: RolloutPlan;
      }
    | {
        readonly event: "attest";
        readonly item: string;
        readonly link?: string;
        /** Of what lies behind the link. With `report` it must be the report's. */
        readonly digest?: string;
        /**
         * The report itself: its digest and its verdict are checked. Needed for `no-regression`,
         * `performance-baseline`, `rollback-rehearsal` and `go-no-go`.
         */
        readonly report?: unknown;
      }
    | {
        readonly event: "smoke";
        readonly ok: boolean;
        readonly link?: string;
        /** The report itself, such as the go/no-go suite's: of a passing one digest and verdict are checked. */
        readonly report?: unknown;
      }
    | { readonly event: "legacy-usage"; readonly calls: number }
    | { readonly event: "remove" }
    | { readonly event: "close-postmortem"; readonly id: string; readonly link: string }
  );

/** Every command's name. */
export type CommandName = RolloutCommand["event"];
