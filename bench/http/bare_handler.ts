// What mayfly's HTTP is measured against: the same answers out of a Map, with nothing between it and Deno.serve.
const map = new Map<string, string>();
const JSON_INIT = { headers: { "content-type": "application/json" } };
const BYTES_INIT = { headers: { "content-type": "application/octet-stream" } };
const STORED = '{"status":"OK","message":"Key inserted/updated successfully."}';

Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen: () => {} }, (request) => {
  const url = request.url, pathStart = url.indexOf("/", 8);
  if (request.method === "POST") {
    return request.json().then(({ key, value }) => {
      map.set(key, value);
      return new Response(STORED, JSON_INIT);
    });
  }
  if (url.startsWith("/get?key=", pathStart)) {
    const key = url.slice(pathStart + 9);
    return new Response(`{"status":"OK","key":"${key}","value":"${map.get(key)}"}`, JSON_INIT);
  }
  const response = new Response(map.get(url.slice(pathStart + 9)), BYTES_INIT);
  // `/v1/keys/` answers mayfly's headers too, `/v0/keys/` the value alone.
  if (url.startsWith("/v1", pathStart)) {
    response.headers.append("etag", '"0123456789abcdef00000040"');
    response.headers.append("x-content-type-options", "nosniff");
  }
  return response;
});
