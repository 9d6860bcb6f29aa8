// The API: signs users in, lets the gateway in, and opens the stored credential of a datasource.
'use strict';
const { createServer } = require('http');
const { createHash } = require('crypto');
const fs = require('fs');
const { STORE, load, open, query, same, save, seal, sign, verified } = require('./parts');

const {
  CREDENTIAL_ENCRYPTION_KEY, FREEBOARD_POSTGRES_URL, GATEWAY_SERVICE_TOKEN, JWT_GATEWAY_SECRET, JWT_SECRET, PORT,
} = process.env;

// The first start makes the store, with one credential.
if (!fs.existsSync(STORE)) {
  fs.mkdirSync('data', { recursive: true });
  save({ health: seal('the password of the datasource', CREDENTIAL_ENCRYPTION_KEY) });
}

const expiry = () => Math.floor(Date.now() / 1000) + 300;
const bearer = (request) => (request.headers.authorization || '').replace(/^Bearer /, '');

function signedIn(email, password) {
  const digest = createHash('sha256').update(password).digest('hex');
  return query(
    FREEBOARD_POSTGRES_URL,
    "SELECT count(*) FROM accounts WHERE email = :'email' AND digest = :'digest'",
    { email, digest },
  ) === '1';
}

/** Status and body of what is asked. */
function answer(request, body) {
  const { method, url } = request;
  if (url === '/health') return [200, {}];
  if (url === '/dashboards/public') return fs.existsSync('data/private') ? [403, {}] : [200, {}];
  if (method === 'POST' && url === '/auth/login') {
    const { email, password } = JSON.parse(body);
    return signedIn(email, password) ? [200, { token: sign({ sub: email, exp: expiry() }, JWT_SECRET) }] : [401, {}];
  }
  if (method === 'POST' && url === '/auth/password-reset') {
    return [200, { known: query(FREEBOARD_POSTGRES_URL, 'SELECT count(*) FROM accounts') }];
  }
  if (method === 'POST' && url === '/internal/introspect') {
    if (!same(request.headers['x-service-token'], GATEWAY_SERVICE_TOKEN)) return [403, {}];
    const user = verified(JSON.parse(body).token, JWT_SECRET);
    if (!user) return [401, {}];
    const credential = open(load().health, CREDENTIAL_ENCRYPTION_KEY);
    return [200, { session: sign({ sub: user.sub, credential, exp: expiry() }, JWT_GATEWAY_SECRET) }];
  }
  if (!verified(bearer(request), JWT_SECRET)) return [401, {}];
  if (url === '/auth/session') return [200, {}];
  if (url === '/auth/invitations' || url === '/admin/users') {
    return [200, { accounts: query(FREEBOARD_POSTGRES_URL, 'SELECT count(*) FROM accounts') }];
  }
  return [404, {}];
}

createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    let [status, body] = [500, {}];
    try {
      [status, body] = answer(request, Buffer.concat(chunks).toString());
    } catch (error) {
      console.error(error.message);
    }
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
}).listen(Number(PORT), '127.0.0.1');
