/** Dead letters kept of one tenant. */
export function deadLettersPerTenant(settings: {
  readonly maxDeadLetters: number;
  readonly maxDeadLettersPerTenant?: number | undefined;
}): number {
  return settings.maxDeadLettersPerTenant ?? Math.max(1, Math.floor(settings.maxDeadLetters / 10));
}
