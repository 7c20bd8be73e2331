/** How much an accepted message outlives: see `PublishOptions.durability`. */
export type Durability = "memory" | "replicated" | "fsync";
