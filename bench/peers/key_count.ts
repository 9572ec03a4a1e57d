// Asks a server that speaks RESP how many keys it holds, again and again over one connection; measures nothing.
import { openSocket, writeAll } from "./load_connection.ts";

const REQUEST = new TextEncoder().encode("*1\r\n$6\r\nDBSIZE\r\n");

export interface KeyCount {
  ask(): Promise<number>;
  close(): void;
}

export async function openKeyCount(port: number): Promise<KeyCount> {
  const socket = await openSocket(port);
  const buffer = new Uint8Array(64), decoder = new TextDecoder();
  return {
    ask: async () => {
      await writeAll(socket, REQUEST);
      let text = "";
      while (!text.endsWith("\r\n")) {
        const bytes = await socket.read(buffer);
        if (bytes === 0) throw new Error("the server closed a connection");
        text += decoder.decode(buffer.subarray(0, bytes));
      }
      if (!/^:\d+\r\n$/.test(text)) throw new Error(`DBSIZE got ${JSON.stringify(text)}`);
      return Number(text.slice(1));
    },
    close: () => socket.close(),
  };
}
