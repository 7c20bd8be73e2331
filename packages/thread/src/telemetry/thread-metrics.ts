import { genAi, genAiMetrics, hebraAttributes } from "@hebra/core";

/** One metric: how it is measured, and by which labels it can be split. */
export interface MetricDescription {
  readonly name: string;
  /** What it is for OpenTelemetry. A counter only grows; the last value of a gauge counts. */
  readonly kind: "counter" | "histogram" | "gauge";
  /** UCUM. What stands in braces is what is counted. */
  readonly unit: string;
  /** Every label that it may have. All are low-cardinality: no tenant, no session, no id. */
  readonly labels: readonly string[];
  readonly description: string;
}

const { providerName, requestModel, responseModel, agentName, toolName, operationName, tokenType, errorType } = genAi;
const { definition, outcome } = hebraAttributes;

const counter = (name: string, unit: string, labels: readonly string[], description: string) =>
  ({ name, kind: "counter", unit, labels, description }) as const;
const seconds = (name: string, labels: readonly string[], description: string) =>
  ({ name, kind: "histogram", unit: "s", labels, description }) as const;
const gauge = (name: string, unit: string, labels: readonly string[], description: string) =>
  ({ name, kind: "gauge", unit, labels, description }) as const;

/** What an engine measures, with or without a runtime around it. */
export const engineMetrics = {
  operationDuration: seconds(
    genAiMetrics.operationDuration,
    [operationName, providerName, requestModel, responseModel, errorType],
    "One call of a model, each try by itself.",
  ),
  tokenUsage: {
    name: genAiMetrics.tokenUsage,
    kind: "histogram",
    unit: "{token}",
    labels: [operationName, providerName, requestModel, responseModel, tokenType],
    description: "Tokens of one model call, `input` and `output`. The sum is what was used.",
  },
  invokeAgentDuration: seconds(
    genAiMetrics.invokeAgentDuration,
    [agentName, outcome, errorType],
    "A turn in one process, until it ended, began to wait for a person, or was given up.",
  ),
  executeToolDuration: seconds(
    genAiMetrics.executeToolDuration,
    [toolName, agentName, errorType],
    "One call of an action, its retries included.",
  ),
  executionDuration: seconds(
    "hebra.execution.duration",
    [definition, outcome],
    "A turn from the acceptance of its trigger to its end: waiting in line, for people and after crashes included.",
  ),
  stepDuration: seconds(
    "hebra.step.duration",
    [definition, outcome],
    "A step in one process: an answer of the model and the actions that it asked for.",
  ),
  cost: counter(
    "hebra.cost",
    "{USD}",
    [agentName, providerName, requestModel, responseModel],
    "What model calls cost, in United States dollars, where the reactor says it.",
  ),
  actionErrors: counter(
    "hebra.action.errors",
    "{error}",
    [agentName, toolName, errorType],
    "Action calls that failed, were refused or interrupted. A name that the model made up counts as `_OTHER`.",
  ),
  providerErrors: counter(
    "hebra.provider.errors",
    "{error}",
    [agentName, providerName, requestModel, errorType],
    "Model calls that failed, each try by itself.",
  ),
  retries: counter(
    "hebra.retries",
    "{retry}",
    ["of"],
    "What was tried again within a turn: `model`, `action` or `write`.",
  ),
  resumes: counter(
    "hebra.turn.resumes",
    "{turn}",
    [definition, "cause"],
    "Turns that were taken up again: after they were `cut-off` with their process, or after the `decision` that they waited for.",
  ),
  duplicates: counter(
    "hebra.trigger.duplicates",
    "{trigger}",
    [definition],
    "Triggers that came once more after their turn had begun.",
  ),
  injections: counter(
    "hebra.turn.injections",
    "{trigger}",
    [definition, "policy"],
    "Triggers that joined a turn which was there already: one that ran (`steer`), or one in line (`merge`).",
  ),
  lockWait: seconds(
    "hebra.lock.wait",
    [outcome],
    "How long a thread's lease was waited for: `acquired`, `busy`, or `failed`.",
  ),
  fenceRejected: counter(
    "hebra.fence.rejected",
    "{write}",
    [errorType],
    "Writes that the store refused because another holder had taken over.",
  ),
} as const satisfies Record<string, MetricDescription>;

/** What a runtime measures besides. */
export const runtimeMetrics = {
  turnDuration: seconds(
    "hebra.turn.duration",
    [outcome, definition],
    "From the delivery of a message to the end of its turn.",
  ),
  turnWait: seconds("hebra.turn.wait", [outcome, definition], "From the publication of a message to its delivery."),
  deliveryGivenBack: counter(
    "hebra.delivery.given_back",
    "{delivery}",
    [errorType],
    "Deliveries that went back to their mailbox, to be tried again.",
  ),
  deliveryAttempts: {
    name: "hebra.delivery.attempts",
    kind: "histogram",
    unit: "{attempt}",
    labels: ["direction", "outcome"],
    description:
      "The how-manieth delivery of its messages each was, by what became of it: `settled`, `given-back` or `lost`.",
  },
  leaseLost: counter(
    "hebra.lease.lost",
    "{lease}",
    ["holder"],
    "Leases that ended while work went on: of a `delivery` of the bus, or of a `call` of the engine.",
  ),
  channelSendDuration: seconds(
    "hebra.channel.send.duration",
    ["channel", "outcome"],
    "How long a channel took to send a reply: `sent`, `failed`, or `unknown` where the answer never came.",
  ),
  outboundDuration: seconds(
    "hebra.outbound.duration",
    ["channel"],
    "From the publication of a reply, when its turn ended, until the other side had it: waiting for the gateway and retries included.",
  ),
  channelPublished: counter(
    "hebra.channel.published",
    "{message}",
    ["channel", "status", "error.type"],
    "Messages that channels published: `accepted`, `duplicate`, `full`, `shed` by the policy for overflow, or `failed` where bus or store could not take them.",
  ),
  channelReplies: counter(
    "hebra.channel.replies",
    "{reply}",
    ["channel", "status"],
    "What the other side of a channel told later about replies: `sent`, `delivered`, `read` or `failed`. Where it tells anything.",
  ),
  schedulerRuns: counter(
    "hebra.scheduler.runs",
    "{run}",
    ["outcome"],
    "Scheduled runs: `accepted`, `duplicate`, `missed` or `failed`.",
  ),
  schedulerLeader: gauge("hebra.scheduler.leader", "{leader}", ["name"], "1 in the process that leads."),
  queueDepth: gauge(
    "hebra.queue.depth",
    "{message}",
    ["direction"],
    "Messages in mailboxes, those being handled included. Of the whole bus: take the maximum over processes.",
  ),
  queueOldestAge: gauge(
    "hebra.queue.oldest_age",
    "s",
    ["direction"],
    "Age of the oldest message that is first in its mailbox. Of the whole bus.",
  ),
  queueOldestWaitingAge: gauge(
    "hebra.queue.oldest_waiting_age",
    "s",
    ["direction"],
    "As `oldest_age`, of conversations that could be handed out now: not held, not parked, not delayed, not at a tenant's limit. Of the whole bus.",
  ),
  queueInFlight: gauge(
    "hebra.queue.in_flight",
    "{conversation}",
    ["direction"],
    "Conversations on lease. Of the whole bus.",
  ),
  target: gauge(
    "hebra.target",
    "s",
    ["name"],
    "What the deployment promises at the 95th percentile: `dispatch`, `turn`.",
  ),
  deadLetters: gauge("hebra.dead_letters", "{message}", [], "Dead letters kept. Of the whole bus."),
} as const satisfies Record<string, MetricDescription>;

/**
 * Every metric of this package: what dashboards and alerts are written against. `docs/reference/metrics.md` shows the
 * same.
 *
 * @example
 * ```ts
 * import { threadMetrics } from "@hebra/thread";
 *
 * console.log(threadMetrics.queueDepth.name, threadMetrics.queueDepth.labels); // hebra.queue.depth [ 'direction' ]
 * ```
 */
export const threadMetrics = { ...engineMetrics, ...runtimeMetrics } as const;
