/** How a turn came out, for the guards of a rollout. */
export interface RouterOutcome {
  readonly status: "ok" | "failed" | "incomplete" | "stopped" | "unknown";
  readonly error?: unknown;
  /** Of the whole turn, in one unit for both engines, such as dollars. */
  readonly cost?: number;
  /** Answers of the model. */
  readonly steps?: number;
  /** Input and output together. */
  readonly tokens?: number;
  /** Every action call of the turn; an empty list says that there was none. */
  readonly calls?: readonly { readonly name: string; readonly ok: boolean }[];
}
