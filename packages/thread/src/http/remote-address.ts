const addresses = new WeakMap<Request, string>();

/** Keeps whose connection a request came over. */
export function setRemoteAddress(request: Request, address: string): void {
  // Node names an IPv4 peer of a dual-stack socket in IPv6.
  addresses.set(request, address.replace(/^::ffff:/i, ""));
}

/** Nothing when the server did not say. */
export const remoteAddressOf = (request: Request): string | undefined => addresses.get(request);
