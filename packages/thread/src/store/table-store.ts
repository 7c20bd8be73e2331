import { assertId, HebraError } from "@hebra/core";
import type { ContextBundle, SystemStore, ThreadStore } from "./store.ts";
import { begin } from "./verbs/begin.ts";
import { commit, takeOver } from "./verbs/commit.ts";
import { fork, setClosed } from "./verbs/contexts.ts";
import { deleteThread } from "./verbs/delete.ts";
import { list } from "./verbs/list.ts";
import { history, historyPage, readJournal } from "./verbs/history.ts";
import { decideApproval, requestCancel } from "./verbs/inbox.ts";
import { lease, LEASES } from "./verbs/lease.ts";
import { execution, snapshot } from "./verbs/load.ts";
import { stateAt } from "./verbs/state-at.ts";
import type { Verb } from "./verbs/op.ts";
import { contextIds, due, lateOutbox, sweep, tenants } from "./verbs/system.ts";
import { announceImport, exportContext, importContext } from "./verbs/transfer.ts";
import { findOne } from "./verbs/op.ts";
import { approvals } from "./tables.ts";

/** What an adapter with tables brings: transactions over ops, and news of inboxes. */
export interface TableBackend {
  name: string;
  scope: ThreadStore["scope"];
  /** Runs a verb that only reads; each of its reads is of one moment. */
  read<T>(verb: () => Verb<T>): Promise<T>;
  /** Runs a verb that only reads, all of it of one moment. */
  snapshot<T>(verb: () => Verb<T>): Promise<T>;
  /** Runs a verb in one transaction: all of it lands or nothing. */
  write<T>(verb: () => Verb<T>): Promise<T>;
  /** Runs a verb of which each write is complete by itself, and guarded by its own conditions. */
  step<T>(verb: () => Verb<T>): Promise<T>;
  watch(tenant: string, contextId: string, onInbox: () => void): () => void;
  /** Milliseconds since the epoch, by the clock that all who share the tables share. */
  now(): number | Promise<number>;
  close(): Promise<void>;
}

/** The store over an adapter's tables: every verb is one of `verbs/`, run by the adapter. */
export function createTableStore(backend: TableBackend): ThreadStore {
  let closed = false;
  const check = (tenant: string, ids: readonly string[] = []): void => {
    if (closed) throw new HebraError("CLOSED", `The ${backend.name} store is closed.`);
    assertId(tenant, "tenant");
    for (const id of ids) assertId(id, "id");
  };
  type Run = <T>(tenant: string, ids: readonly string[], verb: () => Verb<T>) => Promise<T>;
  const checked =
    (how: "read" | "snapshot" | "write" | "step"): Run =>
    async (tenant, ids, verb) => {
      check(tenant, ids);
      return backend[how](verb);
    };
  const read = checked("read");
  const snapshotted = checked("snapshot");
  const write = checked("write");
  const step = checked("step");
  return {
    name: backend.name,
    scope: backend.scope,
    begin: (tenant, given) => step(tenant, [], () => begin(tenant, given)),
    commit: (tenant, contextId, guard, changes) =>
      step(tenant, [contextId], () => commit(tenant, contextId, guard, changes)),
    takeOver: (tenant, contextId, fence) => step(tenant, [contextId], () => takeOver(tenant, contextId, fence)),
    requestCancel: (tenant, executionId, request) =>
      write(tenant, [executionId], () => requestCancel(tenant, executionId, request)),
    decideApproval: (tenant, approvalId, decision) =>
      write(tenant, [approvalId], () => decideApproval(tenant, approvalId, decision)),
    watch: (tenant, contextId, onInbox) => {
      check(tenant, [contextId]);
      return backend.watch(tenant, contextId, onInbox);
    },
    load: (tenant, ref) => read(tenant, Object.values(ref) as string[], () => snapshot(tenant, ref)),
    execution: (tenant, executionId) => read(tenant, [executionId], () => execution(tenant, executionId)),
    history: (tenant, contextId, window) =>
      read(tenant, [contextId], () =>
        "limit" in window ? historyPage(tenant, contextId, window) : history(tenant, contextId, window),
      ),
    journal: (tenant, contextId, afterSeq, limit) =>
      read(tenant, [contextId], () => readJournal(tenant, contextId, afterSeq, limit ?? Infinity)),
    stateAt: (tenant, contextId, itemId) => read(tenant, [contextId, itemId], () => stateAt(tenant, contextId, itemId)),
    approval: (tenant, approvalId) =>
      read(tenant, [approvalId], () => findOne(approvals, "byId", [tenant, approvalId])),
    list: (tenant, options) => read(tenant, [], () => list(tenant, options ?? {})),
    fork: (tenant, given) => write(tenant, [given.from, given.atItemId], () => fork(tenant, given)),
    deleteThread: (tenant, ref) => write(tenant, Object.values(ref) as string[], () => deleteThread(tenant, ref)),
    setClosed: (tenant, contextId, to, at) => write(tenant, [contextId], () => setClosed(tenant, contextId, to, at)),
    announceImport: (tenant, thread, context) => write(tenant, [], () => announceImport(tenant, thread, context)),
    import: (tenant, bundle) => write(tenant, [], () => importContext(tenant, bundle)),
    export: (tenant, contextId) => snapshotted(tenant, [contextId], () => exportContext(tenant, contextId)),
    system: () => systemStore(backend),
    leases: {
      async request(key, request) {
        check(LEASES, [key]);
        const now = Math.trunc(await backend.now());
        return backend.step(() => lease(key, request, now));
      },
      watch: (key, onFreed) => backend.watch(LEASES, key, onFreed),
    },
    async close() {
      if (closed) return;
      closed = true;
      await backend.close();
    },
  };
}

function systemStore({ read, snapshot: whole }: TableBackend): SystemStore {
  return {
    sweep: (options) => read(() => sweep(options)),
    due: (options) => read(() => due(options)),
    outbox: (options) => read(() => lateOutbox(options)),
    tenants: () => read(tenants),
    async *export(options = {}): AsyncGenerator<{ tenant: string; bundle: ContextBundle }> {
      let after = options.after;
      for (;;) {
        const page = await read(() => contextIds({ tenant: options.tenant, after, limit: 100 }));
        if (page.length === 0) return;
        for (const { tenant, contextId } of page) {
          const bundle = await whole(() => exportContext(tenant, contextId));
          if (bundle !== undefined) yield { tenant, bundle };
        }
        after = page.at(-1)!;
      }
    },
  };
}
