/** How many redirects are followed. */
const MOST_REDIRECTS = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/**
 * `fetch` with headers that stay with their host. The platform drops `Authorization` alone when a redirect leads to
 * another origin; a key in a header of the host's own choice would go along.
 *
 * @param secret - headers for the first origin only.
 */
export async function carefulFetch(
  send: typeof fetch,
  url: string,
  secret: Readonly<Record<string, string>>,
  init: Omit<RequestInit, "headers"> & { readonly headers: Readonly<Record<string, string>> },
): Promise<Response> {
  const { origin } = new URL(url);
  let target = url;
  for (let hops = 0; ; hops++) {
    const own = new URL(target).origin === origin ? secret : {};
    const response = await send(target, { ...init, headers: { ...own, ...init.headers }, redirect: "manual" });
    const location = response.headers.get("location");
    if (!REDIRECTS.includes(response.status) || location === null || hops === MOST_REDIRECTS) return response;
    await response.body?.cancel();
    target = new URL(location, target).href;
  }
}
