// The tests' door to deno.json's `serve` task: the server runs with exactly what users grant it.
export { permissionFlags, readServeTask, ROOT } from "../../tools/serve_task.ts";
