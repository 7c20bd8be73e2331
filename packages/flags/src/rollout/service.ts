import { digest, HebraError, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import { addRecord, isEdge, takeEdge } from "./apply.ts";
import { breakdownOf, type Breakdown } from "./breakdown.ts";
import { runChecks, type RolloutCheck } from "./check.ts";
import type { RolloutCommand } from "./commands.ts";
import type { Gathered } from "./counter-row.ts";
import { seal, type Cause, type EvidenceRecord, type Judgement } from "./evidence.ts";
import { createGatherer, type Gatherer } from "./gather.ts";
import { evaluateGuards, type GuardReport } from "./guards/evaluate.ts";
import type { GuardInput } from "./guards/types.ts";
import type { IncidentSink } from "../incident/incident.ts";
import { rolloutIncidents } from "./incidents.ts";
import { legalEvents, nextPhase, type RolloutEvent } from "./machine.ts";
import { notifyAll, type Notifier } from "./notifier.ts";
import { observedInput } from "./observed.ts";
import { activePhase, isRandomised, phaseLabel } from "./phase.ts";
import { gateOf, shareOf } from "./plan.ts";
import { powerOf, type Power } from "./power.ts";
import { checkCommand, checkPlan, parsePolicy, type RolloutPolicy } from "./policy.ts";
import { missingFor, type Facts, type Missing } from "./requirements.ts";
import { initialState, type RolloutState } from "./state.ts";
import type { RolloutStore } from "./store/store.ts";

/** Where a rollout stands, for people and for screens. */
export interface RolloutStatus {
  readonly state: RolloutState;
  readonly phase: string;
  /** When it was judged, milliseconds since the epoch on the service's clock. */
  readonly at: number;
  /** The share of sessions on the new engine, 0 … 1. */
  readonly share: number;
  readonly gathered: Gathered;
  readonly report: GuardReport;
  /** The phase's turns by tenant and error signature, the worst first. */
  readonly breakdown: Breakdown;
  /** What the errors guard can find at this traffic; absent outside of a step, and without traffic in both arms. */
  readonly power?: Power;
  /** The edges that exist from here, and what each still lacks. */
  readonly edges: readonly {
    readonly event: RolloutEvent;
    readonly to: string;
    readonly missing: readonly Missing[];
  }[];
}

/** Options of {@link createRolloutService}. */
export interface RolloutServiceOptions {
  readonly store: RolloutStore;
  readonly notifiers?: readonly Notifier[];
  /** Versions of both engines, for the evidence. */
  readonly engines?: { readonly legacy?: string; readonly new?: string };
  /** What the checks that a plan names do. @defaultValue none */
  readonly checks?: Readonly<Record<string, RolloutCheck>>;
  /**
   * What every plan and command must keep to. @defaultValue none here; the admin handler has the strict defaults of
   * `FlagPolicy`
   */
  readonly policy?: RolloutPolicy;
  /**
   * Where a rollback opens its incident with the draft of its postmortem, and a controller those of guards that find
   * something: `fileIncidents`, `sqliteIncidents`, `postgresIncidents`, or the host's. @defaultValue none
   */
  readonly incidents?: IncidentSink;
  /** Told when a notifier or the incident sink fails. @defaultValue nobody */
  readonly onError?: (error: unknown) => void;
  readonly clock?: Clock;
}

/** How a write is signed. */
export interface Signature {
  /** @defaultValue the operator named by the command */
  readonly cause?: Cause;
  /** The controller's fence. @defaultValue the stored one */
  readonly fence?: number;
  /** Facts that were read already. */
  readonly facts?: Facts & { readonly judgement?: Judgement };
}

/** Every way to move a rollout, for operators and for the controller alike. */
export interface RolloutService {
  /**
   * Takes an edge or leaves a record.
   *
   * @throws HebraError `ILLEGAL_TRANSITION`, `EVIDENCE_MISSING` (`details.missing`), `ROLLOUT_CONFLICT`, `STALE_FENCE`,
   * `FORBIDDEN`, `FLAG_NOT_FOUND`
   */
  act(flag: string, command: RolloutCommand, signature?: Signature): Promise<RolloutState>;
  /** @throws HebraError `FLAG_NOT_FOUND` */
  status(flag: string): Promise<RolloutStatus>;
  /** What edges and guards are judged by at this moment. Counters that cannot be read are none. */
  facts(state: RolloutState): Promise<Facts & { readonly judgement?: Judgement }>;
  /**
   * Writes the incidents that the state and the guards' report speak of and that this process has not written yet.
   * Never throws.
   */
  openIncidents(state: RolloutState, report: GuardReport): Promise<void>;
  readonly store: RolloutStore;
  /** The policy that it was given. */
  readonly policy: RolloutPolicy | undefined;
}

/** How many idempotency keys a rollout remembers. */
const RECENT_KEYS = 100;

const schema = z.strictObject({
  store: z.custom<RolloutStore>(
    (value) => typeof (value as RolloutStore | null)?.commit === "function",
    "must be a RolloutStore",
  ),
  notifiers: z.array(z.custom<Notifier>((value) => typeof value === "function", "must be a function")).default([]),
  engines: z.strictObject({ legacy: z.string().optional(), new: z.string().optional() }).optional(),
  checks: z
    .record(
      z.string(),
      z.custom<RolloutCheck>((value) => typeof value === "function", "must be a function"),
    )
    .default({}),
  policy: z
    .custom<RolloutPolicy>((value) => typeof value === "object" && value !== null, "must be a policy")
    .optional(),
  incidents: z
    .custom<IncidentSink>((value) => typeof (value as IncidentSink | null)?.write === "function", "must have write()")
    .optional(),
  onError: z
    .custom<(error: unknown) => void>((value) => typeof value === "function", "must be a function")
    .default(() => () => {}),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock").optional(),
});

/**
 * The one door to rollouts: each move is checked against the machine, then against its evidence, and written with its
 * record in one step.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createRolloutService, memoryRolloutStore, rolloutPlan } from "@hebra/flags/rollout";
 *
 * const service = createRolloutService({
 *   store: memoryRolloutStore(),
 *   // A plan that names `configuration` in a step's `checks` is entered only while this says yes.
 *   checks: { configuration: async () => ({ ok: process.env["API_TOKEN"] !== undefined, detail: "API_TOKEN is set" })
 * },
 * });
 * const state = await service.act("engine-v2", { event: "start", by: "ana", reason: "beta", plan: rolloutPlan({ owner:
 * "team-threads" }) });
 * console.log(state.phase.name); // internal
 * ```
 */
export function createRolloutService(options: RolloutServiceOptions): RolloutService {
  const parsed = parseOptions("createRolloutService", schema, options);
  const { store, notifiers, onError } = parsed;
  const clock = parsed.clock ?? systemClock;
  const policy = parsed.policy === undefined ? undefined : parsePolicy(parsed.policy);
  const incidents = rolloutIncidents({
    sink: parsed.incidents,
    store,
    onError,
    clock,
    ...(options.engines === undefined ? {} : { engines: options.engines }),
  });

  const gatherers = new Map<string, Gatherer>();

  async function known(flag: string): Promise<RolloutState> {
    const state = await store.read(flag);
    if (state === undefined)
      throw new HebraError("FLAG_NOT_FOUND", `There is no rollout of ${flag}. Start one first.`, { details: { flag } });
    return state;
  }

  async function facts(state: RolloutState): Promise<Facts & { judgement?: Judgement }> {
    const now = clock.now();
    const { limits } = state.plan;
    let unreadable: string | undefined;
    const rows = await store.counters(state.flag, state.enteredAt).catch((error: unknown) => {
      unreadable = error instanceof Error ? error.message : String(error);
      return [];
    });
    let gatherer = gatherers.get(state.flag);
    if (gatherer === undefined) gatherers.set(state.flag, (gatherer = createGatherer()));
    const gathered = gatherer(rows, {
      frozen: state.frozen,
      latencyCeilingMs: limits.latencyCeilingMs,
      from: state.enteredAt,
      now,
      warmUpMs: state.plan.warmUpMs,
    });
    const checks = await runChecks(state, parsed.checks, clock);
    if (!isRandomised(state.phase))
      return {
        now,
        gathered,
        checks,
        report: { action: "quiet", reason: "No session is drawn into an arm in this phase.", verdicts: [] },
      };
    const input: GuardInput = {
      share: shareOf(state.plan, state.phase, state.holdBack),
      restarts: state.plan.steps.length + 1,
      completed: state.completed,
      ...observedInput(gathered),
      ...(state.baseline === undefined ? {} : { baseline: state.baseline }),
      ...(unreadable === undefined ? {} : { unreadable }),
    };
    const report = evaluateGuards(input, limits);
    const judgement: Judgement = {
      input,
      limits,
      action: report.action,
      verdicts: report.verdicts,
      ...(report.cause === undefined ? {} : { cause: report.cause }),
    };
    return { now, gathered, checks, report, judgement };
  }

  function record(
    before: RolloutState,
    after: RolloutState,
    command: RolloutCommand,
    cause: Cause,
    judged: (Facts & { judgement?: Judgement }) | undefined,
    now: number,
  ): EvidenceRecord {
    const judgement = judged?.judgement;
    const asked =
      command.event === "advance" || command.event === "cutover" ? (gateOf(after.plan, after.phase)?.checks ?? []) : [];
    const checked = asked.map((name) => [`check:${name}`, judged?.checks?.[name]?.detail ?? ""] as const);
    const { event, by: _, reason, expectedRevision: __, idempotencyKey: ___, ...rest } = command;
    const { item, link, digest: reported, verified } = after.attestations.at(-1) ?? {};
    const said = command.event === "attest" ? { item, link, digest: reported, verified } : rest;
    const under = policy === undefined ? [] : [["policy", policy.version] as const];
    const detail = [...Object.entries(said), ...checked, ...under].filter(
      (entry): entry is [string, string | number | boolean] => typeof entry[1] !== "object" && entry[1] !== undefined,
    );
    return seal({
      v: 1,
      flag: before.flag,
      sequence: before.evidenceCount + 1,
      at: new Date(now).toISOString(),
      event,
      from: phaseLabel(before.phase),
      to: phaseLabel(after.phase),
      cause,
      reason,
      revision: after.revision,
      fence: after.fence,
      version: after.version,
      plan: digest(after.plan),
      ...(parsed.engines === undefined ? {} : { engines: options.engines! }),
      since: new Date(before.enteredAt).toISOString(),
      ...(judgement === undefined ? {} : { judgement }),
      ...(detail.length === 0 ? {} : { detail: Object.fromEntries(detail) }),
      previous: before.head,
    });
  }

  async function act(flag: string, command: RolloutCommand, signature: Signature = {}): Promise<RolloutState> {
    if (command.reason.trim() === "")
      throw new HebraError("INVALID_OPTIONS", "A reason is needed: it goes into the evidence.");
    const stored = await store.read(flag);
    if (stored === undefined && command.event !== "start") await known(flag);
    if (stored === undefined && !("plan" in command && command.plan !== undefined))
      throw new HebraError("INVALID_OPTIONS", "`start` needs a plan.");
    const before = stored ?? initialState(flag, (command as { plan: RolloutState["plan"] }).plan, clock.now());
    if (command.idempotencyKey !== undefined && before.recentKeys.includes(command.idempotencyKey)) return before;
    if (command.expectedRevision !== undefined && command.expectedRevision !== before.revision) {
      throw new HebraError(
        "ROLLOUT_CONFLICT",
        `The rollout of ${flag} is at revision ${before.revision}, not ${command.expectedRevision}.`,
        { details: { flag, revision: before.revision } },
      );
    }
    const found = signature.facts ?? (await facts(before));
    if (policy !== undefined) {
      checkCommand(policy, flag, command.event, command.by, found.now);
      if ("plan" in command && command.plan !== undefined && command.event !== "approve")
        checkPlan(policy, flag, command.plan);
    }
    let after: RolloutState;
    if (isEdge(command)) {
      const missing = missingFor(before, command.event, found);
      if (missing.length > 0) {
        throw new HebraError(
          "EVIDENCE_MISSING",
          `${phaseLabel(before.phase)} cannot \`${command.event}\` yet: ${missing.map((one) => one.detail).join(" ")}`,
          {
            details: { missing: missing.map(({ item, detail }) => ({ item, detail })) },
          },
        );
      }
      after = takeEdge(before, command, found);
    } else {
      after = addRecord(before, command, found.now);
    }
    const recentKeys =
      command.idempotencyKey === undefined
        ? before.recentKeys
        : [...before.recentKeys, command.idempotencyKey].slice(-RECENT_KEYS);
    after = { ...after, recentKeys, revision: before.revision + 1, fence: signature.fence ?? before.fence };
    const evidence = record(
      before,
      after,
      command,
      signature.cause ?? { kind: "operator", by: command.by },
      isEdge(command) ? found : undefined,
      found.now,
    );
    after = { ...after, evidenceCount: evidence.sequence, head: evidence.hash };
    await store.commit({ state: after, evidence: [evidence] });
    if (isEdge(command))
      await notifyAll(
        notifiers,
        {
          type: noticeType(command.event),
          flag,
          at: evidence.at,
          from: evidence.from,
          to: evidence.to,
          reason: command.reason,
          evidence: evidence.sequence,
        },
        onError,
        clock,
      );
    await incidents.open(after, undefined);
    return after;
  }

  return {
    act,
    facts,
    openIncidents: (state, report) => incidents.open(state, report),
    store,
    policy,
    async status(flag) {
      const state = await known(flag);
      const found = await facts(state);
      const edges = legalEvents(state.phase).map((event) => ({
        event,
        to: phaseLabel(nextPhase(state.phase, event, { steps: state.plan.steps.length })),
        missing: missingFor(state, event, found),
      }));
      const share =
        activePhase(state.phase) === undefined
          ? state.phase.name === "retired"
            ? 1
            : 0
          : shareOf(state.plan, state.phase, state.holdBack);
      const rows = await store.counters(state.flag, state.enteredAt).catch(() => []);
      const power = isRandomised(state.phase)
        ? powerOf({
            ...found.gathered,
            windowMs: gateOf(state.plan, state.phase)?.observeMs ?? 0,
            restarts: state.plan.steps.length + 1,
            limits: state.plan.limits,
          })
        : undefined;
      return {
        state,
        breakdown: breakdownOf(rows),
        ...(power === undefined ? {} : { power }),
        phase: phaseLabel(state.phase),
        at: found.now,
        share,
        gathered: found.gathered,
        report: found.report,
        edges,
      };
    },
  };
}

function noticeType(event: RolloutEvent): "rollout-paused" | "rollout-rolled-back" | "rollout-moved" {
  return event === "pause" ? "rollout-paused" : event === "rollback" ? "rollout-rolled-back" : "rollout-moved";
}
