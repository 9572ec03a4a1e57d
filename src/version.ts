// The version of this build, the only place that states it; it imports nothing.

export const VERSION = "0.1.0";

/** What clients read where they ask for Redis's version: the dialect that is spoken here. */
export const REDIS_VERSION = "7.2.4";
