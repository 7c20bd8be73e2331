import { createWatchers, type Watchers } from "../watchers.ts";
import type { RedisCommands } from "./commands.ts";

/** Inbox news, over one subscription that begins with the first watcher. */
export function createWatch(commands: RedisCommands, channel: string): Pick<Watchers, "watch" | "close"> {
  let subscribed: Promise<void> | undefined;
  const everybody = () => {
    for (const { tenant, contextId } of watchers.watched()) watchers.notify(tenant, contextId);
  };
  const hear = (message: string) => {
    try {
      const [tenant, contextId] = JSON.parse(message) as [string, string];
      watchers.notify(tenant, contextId);
    } catch {
      // Not ours: somebody else used the channel.
    }
  };
  const watchers = createWatchers((some) => {
    if (!some || subscribed !== undefined) return;
    subscribed = commands.subscribe(channel, hear, everybody);
    // Messages may have come before the subscription stood; and where it failed, the next watcher tries again.
    subscribed.then(everybody, () => (subscribed = undefined));
  });
  return { watch: watchers.watch, close: watchers.close };
}
