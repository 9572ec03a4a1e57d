// A thread of the simulation with hashes: runs the load it is sent and posts the report.
import { HashLoad, type HashTask } from "./hash_load.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<HashTask>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data }) => scope.postMessage(new HashLoad(data).run());
