// A thread of the simulation: runs the load it is sent and posts the report.
import { type LoadTask, SharedMemoryLoad } from "./shared_memory_load.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<LoadTask>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data }) => scope.postMessage(new SharedMemoryLoad(data).run());
