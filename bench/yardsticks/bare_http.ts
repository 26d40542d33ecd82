// Yardstick: node:http answering 300 bytes of JSON, nothing else. No server in JavaScript over node:http answers faster.

import { createServer } from 'node:http';

const body = Buffer.from(JSON.stringify({ user: { id: 1, name: 'x'.repeat(271) } }));
const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };

const server = createServer((_request, response) => {
  response.writeHead(200, headers);
  response.end(body);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`listening ${typeof address === 'object' ? address?.port : ''}\n`);
});
