// The least that a streaming proxy on node:http does; the yardstick.
const http = require("node:http");

const port = Number(process.argv[2]);
const agent = new http.Agent({ keepAlive: true, maxSockets: 2048 });

http.createServer((request, response) => {
  const upstream = http.request({
    host: "127.0.0.1",
    port,
    agent,
    method: request.method,
    path: request.url,
    headers: request.headers,
  }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  upstream.on("error", () => response.destroy());
  response.on("close", () => upstream.destroy());
  request.pipe(upstream);
}).listen(0, "127.0.0.1", function () {
  process.stdout.write(`${this.address().port}\n`);
});
