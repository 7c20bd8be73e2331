import type { Clock, IdGenerator, Logger, Telemetry } from "@hebra/core";
import type { Bus } from "@hebra/bus";
import type { LockManager } from "@hebra/lock";
import type { AnyThreadDefinition } from "../definition/define-thread.ts";
import type { Engine } from "../engine/api.ts";
import type { ApprovalTokens } from "../engine/approval-tokens.ts";
import type { ThreadStore } from "../store/store.ts";
import type { EngineSwitch } from "./switched-turn.ts";
import type { Carried } from "./carried.ts";
import type { Handover } from "./handover.ts";
import type { LocalMember } from "./local-member.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import type { PhaseWatch } from "./phase.ts";
import type { Router } from "./route.ts";

/** What the parts of a runtime share. */
export interface RuntimeServices {
  engine: Engine;
  store: ThreadStore;
  bus: Bus;
  locks: LockManager;
  threads: readonly AnyThreadDefinition[];
  route: Router;
  /** Messages go to the definition that they name: the host has no router of its own. */
  routesByName: boolean;
  handover: Handover;
  /** Messages that a move from another bus has brought along. */
  carried: Carried;
  /** What all processes of the store are asked to do. */
  phase: PhaseWatch;
  /** Reports this process to a move, where its locks cannot. */
  member: LocalMember | undefined;
  metrics: RuntimeMetrics;
  telemetry: Telemetry;
  clock: Clock;
  ids: IdGenerator;
  logger: Logger;
  /** Chooses between this engine and an older one; none where there is one engine. */
  engineSwitch: EngineSwitch | undefined;
  /** What is sent when a turn has failed. */
  failureText: string;
  /** Signs approvals for those who wait for them. */
  approvalTokens: Pick<ApprovalTokens, "sign"> | undefined;
  /** What a message gets that found its thread busy and its policy is `reject`. */
  busyText: string;
  /** The bus is this process's own: what it accepted ends with the process unless the store has it. */
  busIsLocal: boolean;
  /** Messages are stored as queued turns before they are accepted, and the bus only wakes. */
  storesIntake: boolean;
  /** Bytes of one message of a reply. */
  maxReplyBytes: number;
  /** Milliseconds between two looks for work that was left behind. */
  sweepMs: number;
}
