import { digest, HebraError } from "@hebra/core";
import { evaluateGuards } from "./guards/evaluate.ts";
import type { GuardAction, GuardInput, GuardLimits, GuardName, GuardVerdict } from "./guards/types.ts";
import type { Missing } from "./requirements.ts";

/** Who or what moved a rollout. */
export type Cause =
  | { readonly kind: "guard"; readonly guard: GuardName }
  | { readonly kind: "operator"; readonly by: string }
  | { readonly kind: "schedule" };

/** What the guards saw and said when a record was written; enough to ask them again. */
export interface Judgement {
  readonly input: GuardInput;
  readonly limits: GuardLimits;
  readonly action: GuardAction;
  readonly cause?: GuardName;
  /** Every guard's verdict, also the quiet ones. */
  readonly verdicts: readonly GuardVerdict[];
}

/**
 * One link of the chain. Advances carry a judgement too: the proof that a step was allowed, not only why one was
 * stopped.
 */
export interface EvidenceRecord {
  readonly v: 1;
  readonly flag: string;
  /** From 1, without gaps. */
  readonly sequence: number;
  /** ISO 8601 instant. */
  readonly at: string;
  /** The edge, or `attest`, `approve`, `smoke`, `legacy-usage`, `plan`, `remove`, `postmortem`, `kill`, `unkill`. */
  readonly event: string;
  readonly from: string;
  readonly to: string;
  readonly cause: Cause;
  readonly reason: string;
  /** The rollout's revision after the write, and the writer's fence. */
  readonly revision: number;
  readonly fence: number;
  /** Version of the split after the write. */
  readonly version: number;
  /** Digest of the plan in force. */
  readonly plan: string;
  /** Versions of both engines, as the host names them. */
  readonly engines?: { readonly legacy?: string; readonly new?: string };
  /** When the phase was entered, whose counters these are. */
  readonly since: string;
  readonly judgement?: Judgement;
  /** What an override passed over. */
  readonly waived?: readonly Missing[];
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
  /** Hash of the record before; empty for the first. */
  readonly previous: string;
  /** SHA-256 over the canonical JSON of everything else. */
  readonly hash: string;
}

/** Everything of a record but its hash. */
export type UnsealedRecord = Omit<EvidenceRecord, "hash">;

/** Adds the hash. */
export function seal(record: UnsealedRecord): EvidenceRecord {
  return { ...record, hash: digest(record) };
}

/**
 * Checks a chain from its first record: every hash, every link, no gap.
 *
 * @param head - the hash of the last record, as the rollout's state has it; finds records cut off at the end.
 * @throws HebraError `EVIDENCE_TAMPERED` naming the first broken record.
 *
 * @example
 * ```ts
 * import { rolloutPlan, createRolloutService, memoryRolloutStore, verifyEvidence } from "@hebra/flags/rollout";
 *
 * const store = memoryRolloutStore();
 * const service = createRolloutService({ store });
 * await service.act("engine-v2", { event: "start", by: "ana", reason: "first try", plan: rolloutPlan({ owner:
 * "team-threads" }) });
 * const state = await store.read("engine-v2");
 * verifyEvidence(await store.evidence("engine-v2"), state?.head);
 * ```
 */
export function verifyEvidence(records: readonly EvidenceRecord[], head?: string): void {
  let previous = "";
  for (const [index, record] of records.entries()) {
    const { hash, ...rest } = record;
    const broken =
      record.sequence !== index + 1
        ? `has sequence ${record.sequence} where ${index + 1} was due`
        : record.previous !== previous
          ? "does not follow the record before it"
          : digest(rest) !== hash
            ? "was changed after it was written"
            : undefined;
    if (broken !== undefined)
      throw new HebraError("EVIDENCE_TAMPERED", `Record ${index + 1} of ${record.flag} ${broken}.`, {
        details: { record: index + 1 },
      });
    previous = hash;
  }
  if (head !== undefined && head !== previous) {
    throw new HebraError(
      "EVIDENCE_TAMPERED",
      `The chain ends at record ${records.length}, but the rollout's state knows another end.`,
      { details: { record: records.length } },
    );
  }
}

/** What a replay found. */
export interface ReplayResult {
  readonly sequence: number;
  readonly recorded: GuardAction;
  readonly replayed: GuardAction;
  readonly agrees: boolean;
}

/** Asks the guards again, for every record with a judgement, with the counters and limits recorded. */
export function replayEvidence(records: readonly EvidenceRecord[]): ReplayResult[] {
  return records.flatMap(({ sequence, judgement }) => {
    if (judgement === undefined) return [];
    const again = evaluateGuards(judgement.input, judgement.limits);
    const agrees =
      again.action === judgement.action &&
      again.cause === judgement.cause &&
      digest(again.verdicts) === digest(judgement.verdicts);
    return [{ sequence, recorded: judgement.action, replayed: again.action, agrees }];
  });
}
