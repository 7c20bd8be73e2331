import { errorSignature, HebraError } from "@hebra/core";
import type { Space } from "../backend.ts";
import { decodeAll, directionOf, listen, type BusCore } from "./bus-core.ts";
import type { AckOptions, Delivery, MoreNotice, NackOptions, ReceivedMessage } from "../bus.ts";
import type { SettleAndClaimBatcher } from "./settle-and-claim.ts";
import type { KeptLease } from "./lease-keeper.ts";
import { encodeReplies } from "./publisher.ts";
import { judge } from "../retry-policy.ts";

/** What a lease is made of. */
export interface ConversationLeaseParts {
  readonly space: Space;
  readonly partition: number;
  readonly conversation: string;
  readonly tenant: string;
  readonly session: string;
  readonly fence: number;
  readonly attempt: number;
  readonly deadline: number;
  readonly messages: ReceivedMessage[];
  /** Entries on lease, the ticket of a claim included. */
  readonly leased: number;
  readonly batcher: SettleAndClaimBatcher;
  /** The slot is free again. */
  readonly freed: () => void;
}

/** A conversation that this process holds: the one implementation of deliveries and claims. */
export class ConversationLease implements Delivery, KeptLease {
  readonly tenant: string;
  readonly session: string;
  readonly messages: ReceivedMessage[];
  readonly fence: number;
  readonly attempt: number;
  readonly space: Space;
  readonly partition: number;
  readonly conversation: string;
  deadline: number;
  readonly #core: BusCore;
  readonly #parts: ConversationLeaseParts;
  readonly #since: number;
  #state: "held" | "settled" | "lost" = "held";
  #leased: number;
  /** What precedes the messages: a claim's ticket. */
  readonly #lead: number;
  #takeable = true;
  #taking: Promise<unknown> = Promise.resolve();
  #abort: AbortController | undefined;
  #lostBecause: HebraError | undefined;
  #listeners: Set<(notice: MoreNotice) => void> | undefined;
  #unlisten: (() => void) | undefined;

  constructor(core: BusCore, parts: ConversationLeaseParts) {
    this.#core = core;
    this.#parts = parts;
    this.tenant = parts.tenant;
    this.session = parts.session;
    this.messages = parts.messages;
    this.fence = parts.fence;
    this.attempt = parts.attempt;
    this.space = parts.space;
    this.partition = parts.partition;
    this.conversation = parts.conversation;
    this.deadline = parts.deadline;
    this.#leased = parts.leased;
    this.#lead = parts.leased > 0 && parts.messages.length === 0 ? 1 : 0;
    this.#since = core.clock.monotonic();
    core.keeper.add(this);
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#lostBecause !== undefined) this.#abort.abort(this.#lostBecause);
    }
    return this.#abort.signal;
  }

  /** Called by the keeper, and by a drain at its deadline. */
  lose(): void {
    if (this.#state !== "held") return;
    this.#end("lost");
    this.#lostBecause = this.#lostError();
    this.#abort?.abort(this.#lostBecause);
    this.#core.emit?.({
      type: "lease-lost",
      direction: directionOf(this.space),
      tenant: this.tenant,
      session: this.session,
      fence: this.fence,
    });
  }

  take(options: { max?: number } = {}): Promise<readonly ReceivedMessage[]> {
    const max = options.max ?? 1;
    if (!Number.isSafeInteger(max) || max < 1)
      return Promise.reject(new HebraError("INVALID_OPTIONS", "take: `max` must be a whole number of at least 1."));
    const next = this.#taking.then(() => this.#take(max));
    this.#taking = next.catch(() => undefined);
    return next;
  }

  async #take(max: number): Promise<readonly ReceivedMessage[]> {
    this.#assertHeld();
    if (!this.#takeable) return [];
    const bodies = await this.#core.backend.take(this.space, {
      conversation: this.conversation,
      fence: this.fence,
      have: this.#leased,
      max,
    });
    if (bodies === undefined) {
      this.lose();
      throw this.#lostError();
    }
    this.#assertHeld();
    this.#leased += bodies.length;
    const { messages, stopped } = decodeAll(this.#core.codec, bodies, 1);
    // What cannot be read becomes the first message of a later delivery, where it is dealt with.
    if (stopped !== undefined) this.#takeable = false;
    this.messages.push(...messages);
    return messages;
  }

  onMore(listener: (notice: MoreNotice) => void): () => void {
    if (this.#state !== "held") return () => {};
    if (this.#listeners === undefined) {
      this.#listeners = new Set();
      this.#unlisten = listen(this.#core, this.space, this.conversation, (interrupt) => this.#tellMore(interrupt));
      const watched = this.#parts.batcher.settle(this.partition, {
        kind: "watch",
        conversation: this.conversation,
        fence: this.fence,
      });
      watched.then(
        (waiting) => {
          if (waiting > 0) this.#tellMore(false);
        },
        () => undefined,
      );
    }
    this.#listeners.add(listener);
    return () => void this.#listeners?.delete(listener);
  }

  #tellMore(interrupt: boolean): void {
    if (this.#state !== "held" || !this.#takeable) return;
    for (const listener of this.#listeners ?? []) listener({ interrupt });
  }

  async extend(): Promise<void> {
    this.#assertHeld();
    if (await this.#core.keeper.renew(this)) return;
    throw this.#lostError();
  }

  async ack(options: AckOptions = {}): Promise<void> {
    const count = options.count ?? this.messages.length;
    if (
      !Number.isSafeInteger(count) ||
      count < 0 ||
      count > this.messages.length ||
      (count === 0 && this.messages.length > 0)
    ) {
      throw new HebraError(
        "INVALID_OPTIONS",
        `ack: \`count\` must be between 1 and the ${this.messages.length} messages held.`,
      );
    }
    this.#assertHeld();
    const replies =
      options.outbound === undefined || options.outbound.length === 0
        ? []
        : encodeReplies(this.#core, this, options.outbound);
    this.#end("settled");
    const done = await this.#parts.batcher.settle(this.partition, {
      kind: "ack",
      conversation: this.conversation,
      fence: this.fence,
      count: this.#lead + count,
      replies,
    });
    if (done < 0) throw this.#lostError();
    this.#core.emit?.({
      type: "delivery-acked",
      direction: directionOf(this.space),
      heldMs: this.#core.clock.monotonic() - this.#since,
      messages: count,
    });
  }

  async nack(options: NackOptions = {}): Promise<void> {
    if (this.#state === "lost") return;
    this.#assertHeld();
    const { settings, backend } = this.#core;
    const now = backend.now();
    const failure = {
      attempt: this.attempt,
      ageMs: now - this.messages[0]!.enqueuedAt,
      messages: this.messages.length,
    };
    const verdict = judge(failure, options, settings.retry, settings.random, now);
    const signature = errorSignature(
      options.error ?? new Error(options.reason ?? "The handler gave the messages back."),
      { component: "bus" },
    );
    this.#end("settled");
    const { conversation, fence } = this;
    const told = {
      direction: directionOf(this.space),
      tenant: this.tenant,
      session: this.session,
      code: signature.code,
    };
    if (verdict.kind === "retry") {
      const done = await this.#parts.batcher.settle(this.partition, {
        kind: "retry",
        conversation,
        fence,
        delayMs: verdict.delayMs,
      });
      if (done >= 0)
        this.#core.emit?.({ type: "delivery-retried", ...told, attempt: this.attempt, delayMs: verdict.delayMs });
      return;
    }
    const record = { cause: verdict.cause, attempts: this.attempt, signature: JSON.stringify(signature) };
    const parked = settings.retry.onExhausted === "park";
    const done = await this.#parts.batcher.settle(
      this.partition,
      parked
        ? { kind: "park", conversation, fence, record }
        : { kind: "dead", conversation, fence, record, together: true },
    );
    if (done >= 0) this.#core.emit?.({ type: "message-dead-lettered", ...told, cause: verdict.cause, parked });
  }

  async release(options: { delayMs?: number } = {}): Promise<void> {
    if (this.#state !== "held") return;
    this.#end("settled");
    await this.#parts.batcher.settle(this.partition, {
      kind: "release",
      conversation: this.conversation,
      fence: this.fence,
      delayMs: Math.max(0, Math.round(options.delayMs ?? 0)),
    });
  }

  /** Gives the conversation back although its handler still works on it. */
  async evict(): Promise<void> {
    if (this.#state !== "held") return;
    const released = this.release();
    this.#lostBecause = new HebraError(
      "LEASE_LOST",
      `The bus was drained before the work on ${this.tenant}/${this.session} was done. Its messages are delivered again.`,
    );
    this.#abort?.abort(this.#lostBecause);
    await released;
  }

  #end(state: "settled" | "lost"): void {
    this.#state = state;
    this.#core.keeper.remove(this);
    this.#unlisten?.();
    this.#parts.freed();
  }

  #lostError(): HebraError {
    return new HebraError(
      "LEASE_LOST",
      `The lease on ${this.tenant}/${this.session} ended before it was settled. Drop the work: its messages are delivered again.`,
      {
        details: { tenant: this.tenant, session: this.session, fence: this.fence },
      },
    );
  }

  #assertHeld(): void {
    if (this.#state === "lost") throw this.#lostError();
    if (this.#state === "settled")
      throw new HebraError(
        "ILLEGAL_TRANSITION",
        `The delivery of ${this.tenant}/${this.session} was settled before. Settle each once.`,
      );
  }
}
