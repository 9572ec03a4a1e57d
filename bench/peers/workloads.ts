// The table of workload groups, in the order in which they run; knows no servers.
import { CONNECTION_GROUP } from "./connection_workload.ts";
import { EXPIRY_GROUP } from "./expiry_workload.ts";
import { HASH_GROUP } from "./hash_workload.ts";
import { LARGE_GROUP } from "./large_workload.ts";
import { MEMORY_GROUP } from "./memory_workload.ts";
import { THROUGHPUT_GROUPS } from "./throughput_workloads.ts";
import type { Sizes, WorkloadGroup } from "./workload.ts";

export const WORKLOAD_GROUPS: readonly WorkloadGroup[] = [
  ...THROUGHPUT_GROUPS,
  HASH_GROUP,
  MEMORY_GROUP,
  CONNECTION_GROUP,
  LARGE_GROUP,
  EXPIRY_GROUP,
];

/** What the bars are judged at. */
export const FULL_SIZES: Sizes = {
  runs: 5,
  warmSeconds: 1.5,
  seconds: 3,
  clients: 50,
  keys: 100_000,
  manyKeys: 1_000_000,
  hashes: 20_000,
  manyHashes: 200_000,
  mgetKeys: 100,
  idleConnections: 10_000,
  largeBytes: 64 * 1024 * 1024,
  settleMs: 1000,
};

/** Only shows that everything works. */
export const TOY_SIZES: Sizes = {
  runs: 1,
  warmSeconds: 0.1,
  seconds: 0.2,
  clients: 10,
  keys: 1000,
  manyKeys: 5000,
  hashes: 500,
  manyHashes: 2000,
  mgetKeys: 100,
  idleConnections: 100,
  largeBytes: 1024 * 1024,
  settleMs: 50,
};

/**
 * The groups that a comma-separated list names, in the table's order. Throws on a name that is not
 * in the table.
 */
export function selectGroups(only: string | undefined): readonly WorkloadGroup[] {
  if (only === undefined) return WORKLOAD_GROUPS;
  const names = only.split(",").map((name) => name.trim()).filter((name) => name !== "");
  const known = WORKLOAD_GROUPS.map((group) => group.name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0 || names.length === 0) {
    throw new Error(`Cannot select workloads: received "${only}", known are ${known.join(", ")}`);
  }
  return WORKLOAD_GROUPS.filter((group) => names.includes(group.name));
}
