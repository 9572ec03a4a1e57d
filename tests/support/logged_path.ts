// A worker's path with a log on a disk in memory; it knows no command.
import { ROLE_OF_LOG } from "../../src/log/log_board.ts";
import { LogWriter } from "../../src/log/log_writer.ts";
import { createRingMemory, Ring } from "../../src/log/ring.ts";
import { EffectRecorder } from "../../src/persistence/effect_recorder.ts";
import { StoreParts } from "../../src/persistence/ring_parts.ts";
import { ByteDisk } from "./byte_disk.ts";
import { EnginePath } from "./engine_path.ts";
import { SERVER_ID } from "./log_maker.ts";
import { StoreAccess } from "./store_access.ts";
import { stateOf } from "./store_state.ts";

export class LoggedPath {
  readonly disk = new ByteDisk();
  readonly path: EnginePath;
  #writer!: LogWriter;

  constructor(flags: readonly string[], ringBytes: number) {
    const ring = new Ring(createRingMemory(ringBytes));
    this.path = new EnginePath((store) => {
      this.#writer = new LogWriter({
        disk: this.disk,
        ring,
        parts: new StoreParts(store),
        serverId: SERVER_ID,
        firstSequence: 1,
      });
      ring.waitForRole(ROLE_OF_LOG);
      this.#writer.open();
      return new EffectRecorder(store, ring);
    }, flags);
  }

  /** Brings what is in the ring into the log. */
  write(): void {
    this.#writer.drain();
  }

  sync(): void {
    this.#writer.sync();
  }

  get state(): string {
    return stateOf(new StoreAccess(this.path.memory), null);
  }
}
