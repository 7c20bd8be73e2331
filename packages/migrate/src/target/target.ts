/**
 * One context with everything in it, as a thread store keeps it. The rows are the store's; the kit fills them from a
 * mapping
 * and compares them, and knows no more of them.
 */
export interface ContextDocument {
  thread: object;
  context: object;
  items: object[];
  executions: object[];
  steps: object[];
  parts: object[];
  calls: object[];
  triggers?: object[];
}

/** What a target says of a write. */
export interface TargetImported {
  /** False when the context was there already, row for row. */
  changed: boolean;
  counts: Record<string, number>;
  digest: string;
}

/** Where contexts go: the stores of `@hebra/thread` are such targets as they are. */
export interface ThreadTarget {
  readonly name: string;
  /** Writes a context whole, in one transaction; the same one again changes nothing. */
  import(tenant: string, document: ContextDocument): Promise<TargetImported>;
  export(tenant: string, contextId: string): Promise<ContextDocument | undefined>;
}
